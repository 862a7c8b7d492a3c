"""The one context that asks others gets a token of its own, by its secret."""

import httpx
import pytest

from tests.local.identity.running import Identity

ASKED = {"grant_type": "client_credentials", "client_id": "operations", "client_secret": "s3cret"}


def asked(identity: Identity, **changes: str) -> httpx.Response:
    return identity.http.post("/token", data=ASKED | changes)


def test_operations_gets_a_token_of_its_own(identity: Identity) -> None:
    granted = asked(identity, scope="api://orderflow/.default").raise_for_status()

    assert granted.headers["cache-control"] == "no-store"
    assert granted.json().keys() == {"access_token", "token_type", "expires_in"}
    claims = identity.claims(granted.json()["access_token"])
    assert (claims["sub"], claims["roles"]) == ("operations", ["operations"])


@pytest.mark.parametrize(
    "changes",
    [{"client_secret": "another"}, {"client_secret": ""}, {"client_secret": "grüße"}, {"client_id": "orderflow"}],
    ids=str,
)
def test_nobody_else_does(identity: Identity, changes: dict[str, str]) -> None:
    refused = asked(identity, **changes)

    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_client")


def test_its_configuration_names_the_grant(identity: Identity) -> None:
    told = identity.configuration()

    assert "client_credentials" in told["grant_types_supported"]
    assert "client_secret_post" in told["token_endpoint_auth_methods_supported"]

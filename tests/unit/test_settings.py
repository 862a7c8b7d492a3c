"""Settings are read at start, and every fault is named at once."""

import subprocess
import sys
from pathlib import Path

import pytest

from services.orders.bootstrap import OrdersSettings
from services.payments.bootstrap import PaymentsSettings
from shared.authentication import TokenRules
from shared.errors import SettingsError
from simulation.world import ENVIRONMENT

IDENTITY = {
    "COSMOS_ORDERS__accountEndpoint": "https://shop.documents.azure.com:443/",
    "COSMOS_ORDERS__clientId": "11111111-1111-1111-1111-111111111111",
    "SERVICEBUS_ORDERS__fullyQualifiedNamespace": "shop.servicebus.windows.net",
    "IDENTITY_ISSUER": "https://login.microsoftonline.com/11111111-1111-1111-1111-111111111111/v2.0",
    "IDENTITY_AUDIENCE": "orderflow",
}


def test_in_azure_connections_are_by_identity_and_times_are_the_designs() -> None:
    settings = OrdersSettings.read(IDENTITY)
    assert settings.cosmos.endpoint == "https://shop.documents.azure.com:443/"
    assert settings.cosmos.client_id == "11111111-1111-1111-1111-111111111111"
    assert settings.cosmos.connection_string is None
    assert (settings.first_resend.seconds, settings.retry_delay.seconds) == (60, 2)
    assert (settings.reply_timeout.total_seconds(), settings.dispatch_timeout.days) == (3600, 6)


def test_on_this_machine_a_connection_string_will_do() -> None:
    settings = OrdersSettings.read(ENVIRONMENT | {"ORDERS_FIRST_RESEND_SECONDS": "0.5"})
    assert settings.cosmos.endpoint == "http://127.0.0.1:1/"
    assert settings.cosmos.key == "a2V5"
    assert settings.first_resend.total_seconds() == 0.5


def test_a_key_opens_nothing_but_this_machine() -> None:
    remote = {"COSMOS_ORDERS": "AccountEndpoint=https://shop.documents.azure.com/;AccountKey=a2V5;"}
    with pytest.raises(SettingsError, match="COSMOS_ORDERS: a key may open a service on this machine alone"):
        OrdersSettings.read(ENVIRONMENT | remote)


def test_every_fault_is_named() -> None:
    wrong = {
        "SHOP_CURRENCY": "pounds",
        "ORDERS_FIRST_RESEND_SECONDS": "soon",
        "ORDERS_LEAST_TOTAL": "0",
        "OUTBOX_GRACE_SECONDS": "-1",
    }
    with pytest.raises(SettingsError) as error:
        OrdersSettings.read(wrong)
    named = {fault.partition(":")[0] for fault in error.value.faults}
    missing = {"IDENTITY_ISSUER", "IDENTITY_AUDIENCE"}
    assert named == {"COSMOS_ORDERS__accountEndpoint", "SERVICEBUS_ORDERS__fullyQualifiedNamespace", *missing, *wrong}


def test_whose_tokens_are_taken_must_be_said() -> None:
    without = {name: value for name, value in IDENTITY.items() if not name.startswith("IDENTITY_")}
    with pytest.raises(SettingsError) as error:
        OrdersSettings.read(without)
    assert error.value.faults == (
        "IDENTITY_ISSUER: is missing: docs/settings.md says what to set",
        "IDENTITY_AUDIENCE: is missing: docs/settings.md says what to set",
    )


@pytest.mark.parametrize(
    "issuer",
    ["https://sts.windows.net/11111111/", "https://id.example:8443", "http://127.0.0.1:9", "http://localhost/a"],
)
def test_an_issuer_is_taken_just_as_it_is_written(issuer: str) -> None:
    settings = OrdersSettings.read(IDENTITY | {"IDENTITY_ISSUER": issuer})
    assert settings.token_rules == TokenRules(issuer, "orderflow", "sub", "roles")


@pytest.mark.parametrize(
    "issuer",
    [
        "id.example",
        "http://id.example",
        "http://localhost.example",
        "ftp://127.0.0.1",
        "https://",
        "https:///path",
        "https://id.example?tenant=1",
        "https://id.example/#top",
        "https://me:secret@id.example",
        "https://id.example:port",
        "https://id.example:99999",
        " https://id.example",
        "https://id.example/\n",
        "https://[::1",
        "https://ïd.example",
    ],
)
def test_an_issuer_that_a_stranger_could_stand_in_for_stops_the_start(issuer: str) -> None:
    with pytest.raises(SettingsError) as error:
        OrdersSettings.read(IDENTITY | {"IDENTITY_ISSUER": issuer})
    [fault] = error.value.faults
    assert fault.startswith("IDENTITY_ISSUER: ")
    assert "should be the issuer's address just as its tokens name it (iss): https://…" in fault
    assert issuer == "https://" or issuer not in fault


@pytest.mark.parametrize(
    "reference",
    [
        "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/k)",
        "@microsoft.keyvault(VaultName=v;SecretName=k)",
        " @MICROSOFT.KEYVAULT(SecretUri=https://v.vault.azure.net/secrets/k)",
        "@Microsoft.AppConfiguration(Endpoint=https://c.azconfig.io; Key=k)",
    ],
)
@pytest.mark.parametrize(
    "name",
    [
        "PAYMENT_PROVIDER_KEY",
        "PAYMENT_PROVIDER_TIMEOUT_SECONDS",
        "COSMOS_DATABASE",
        "COSMOS_PAYMENTS",
        "COSMOS_PAYMENTS__clientId",
        "SERVICEBUS_PAYMENTS__fullyQualifiedNamespace",
    ],
)
def test_a_reference_that_azure_could_not_resolve_stops_the_start(name: str, reference: str) -> None:
    with pytest.raises(SettingsError) as error:
        PaymentsSettings.read(ENVIRONMENT | {name: reference})
    [fault] = error.value.faults
    assert fault.startswith(f"{name}: ")
    assert "is a reference that was not resolved: see that the app's identity may read" in fault


@pytest.mark.parametrize("address", ["https://api.stripe.com/v1", "https://api.stripe.com/", "api.stripe.com"])
def test_an_address_where_every_order_would_be_declined_stops_the_start(address: str) -> None:
    with pytest.raises(SettingsError, match="PAYMENT_PROVIDER_ADDRESS"):
        PaymentsSettings.read(ENVIRONMENT | {"PAYMENT_PROVIDER_ADDRESS": address})


def test_payments_needs_the_providers_key() -> None:
    with pytest.raises(SettingsError, match="PAYMENT_PROVIDER_KEY"):
        PaymentsSettings.read({name: value for name, value in ENVIRONMENT.items() if name != "PAYMENT_PROVIDER_KEY"})


def test_the_app_names_every_fault_of_every_context_when_it_starts() -> None:
    run = subprocess.run(
        [sys.executable, "-c", "import function_app"],
        cwd=Path(__file__).parents[2],
        env={"ORDERFLOW_SERVICES": "orders,shipping,lamps"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode != 0
    for fault in ("lamps is not one of", "COSMOS_ORDERS__accountEndpoint", "SERVICEBUS_SHIPPING__fully"):
        assert fault in run.stderr
    assert "COSMOS_PAYMENTS" not in run.stderr

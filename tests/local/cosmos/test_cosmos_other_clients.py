"""What other clients than Python's send."""

import base64
import hmac
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.local.cosmos.conftest import Account

DATE = "Wed, 25 Nov 2026 12:00:00 GMT"
CONTAINER = "dbs/orderflow/colls/orders"


async def send(account: Account, method: str, kind: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
    """A request, signed by the operator's key as the documentation says."""
    text = f"{method.lower()}\n{kind}\n{path}\n{DATE.lower()}\n\n".encode()
    signature = base64.b64encode(hmac.digest(base64.b64decode(account.keys["operator"]), text, "sha256")).decode()
    address = f"{account.address}{path}" + (f"/{kind}" if method == "POST" else "")
    given = {"authorization": quote(f"type=master&ver=1.0&sig={signature}", safe=""), "x-ms-date": DATE}
    given |= {"x-ms-documentdb-partitionkey": '["p"]'} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    async with httpx.AsyncClient() as client:
        return await client.request(method, address, json=body, headers=given)


async def test_a_patch_may_be_a_bare_array(account: Account) -> None:
    created = await send(account, "POST", "docs", CONTAINER, {"id": "bare", "pk": "p", "n": 1})

    patched = await send(account, "PATCH", "docs", f"{CONTAINER}/docs/bare", [{"op": "incr", "path": "/n", "value": 2}])

    assert (created.status_code, patched.status_code, patched.json()["n"]) == (201, 200, 3)
    assert (await send(account, "DELETE", "docs", f"{CONTAINER}/docs/bare")).status_code == 204


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "operations/partitionkeydelete"), ("GET", "conflicts"), ("PUT", "")]
)
async def test_an_unsupported_path_is_501_however_it_is_signed(account: Account, method: str, path: str) -> None:
    async with httpx.AsyncClient(base_url=account.address) as client:
        answer = await client.request(method, f"/{CONTAINER}/{path}")

    assert answer.status_code == 501
    assert path in answer.json()["message"]


@pytest.mark.parametrize("header", ["populatequerymetrics", "populatepartitionstatistics"])
async def test_what_would_be_made_up_is_refused(account: Account, header: str) -> None:
    headers = {f"x_ms_documentdb_{header}": "True"}

    answer = await send(account, "GET", "colls", CONTAINER, **headers)

    assert answer.status_code == 501


async def test_a_bulk_operation_is_refused_by_name(account: Account) -> None:
    headers = {"x_ms_cosmos_is_batch_request": "true", "x_ms_cosmos_batch_atomic": "false"}

    answer = await send(account, "POST", "docs", CONTAINER, [{"operationType": "Read", "id": "a"}], **headers)

    assert (answer.status_code, "bulk" in answer.json()["message"]) == (501, True)


async def test_a_link_to_a_container_that_is_gone_is_404(account: Account) -> None:
    item = (await send(account, "POST", "docs", CONTAINER, {"id": "linked", "pk": "p"})).json()
    database, container, rid = item["_self"].strip("/").split("/")[1::2]
    # Signed is a resource id in lower case, in place of the path.
    text = f"get\ndocs\n{rid.lower()}\n{DATE.lower()}\n\n".encode()
    signature = base64.b64encode(hmac.digest(base64.b64decode(account.keys["operator"]), text, "sha256")).decode()
    headers = {"authorization": quote(f"type=master&ver=1.0&sig={signature}", safe=""), "x-ms-date": DATE}
    headers |= {"x-ms-documentdb-partitionkey": '["p"]'}

    async with httpx.AsyncClient(base_url=account.address, headers=headers) as client:
        found = await client.get(f"dbs/{database}/colls/{container}/docs/{rid}/")
        gone = await client.get(f"dbs/{database}/colls/AAAAAQAAAGM=/docs/{rid}/")

    assert (found.status_code, found.json()["id"], gone.status_code) == (200, "linked", 404)

"""Who the app is: in Azure its managed identity alone, on a laptop the developer, for a stand-in a key."""

from datetime import timedelta

import pytest
from pytest_mock import MockerFixture

from shared.adapters import cosmos, identity, service_bus
from shared.adapters.cosmos import CosmosContainer
from shared.adapters.service_bus import ServiceBusOutput
from shared.errors import OrderflowError
from shared.ports import WireMessage
from shared.settings import Connection

IN_AZURE = Connection(endpoint="https://shop.documents.azure.com", client_id="client-of-orders")
ON_A_LAPTOP = Connection(endpoint="https://shop.documents.azure.com")
STAND_IN = Connection(
    endpoint="http://127.0.0.1:1", connection_string="AccountEndpoint=http://127.0.0.1:1/;AccountKey=a2V5;"
)
A_MOMENT = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def _no_credential_is_kept() -> None:
    identity.credential.cache_clear()


def test_in_azure_the_apps_own_managed_identity_is_taken_and_nothing_else_tried(mocker: MockerFixture) -> None:
    managed = mocker.patch.object(identity, "ManagedIdentityCredential")
    default = mocker.patch.object(identity, "DefaultAzureCredential")

    assert identity.credential("client-of-orders") is managed.return_value

    managed.assert_called_once_with(client_id="client-of-orders")
    default.assert_not_called()


def test_without_an_identity_the_developers_own_login_is_taken(mocker: MockerFixture) -> None:
    managed = mocker.patch.object(identity, "ManagedIdentityCredential")
    default = mocker.patch.object(identity, "DefaultAzureCredential")

    assert identity.credential(None) is default.return_value
    managed.assert_not_called()


@pytest.mark.parametrize(("connection", "asked_for"), [(IN_AZURE, "client-of-orders"), (ON_A_LAPTOP, None)])
async def test_cosmos_db_is_opened_with_the_credential_of_its_connection(
    mocker: MockerFixture, connection: Connection, asked_for: str | None
) -> None:
    credential = mocker.patch.object(cosmos, "credential")
    client = mocker.patch.object(cosmos, "CosmosClient", side_effect=OrderflowError("opened"))

    with pytest.raises(OrderflowError, match="opened"):
        await CosmosContainer(connection, "orderflow", "orders", A_MOMENT).read("a", "b")

    credential.assert_called_once_with(asked_for)
    assert client.call_args.args == (connection.endpoint, credential.return_value)


async def test_a_stand_in_is_opened_with_its_key(mocker: MockerFixture) -> None:
    credential = mocker.patch.object(cosmos, "credential")
    client = mocker.patch.object(cosmos, "CosmosClient", side_effect=OrderflowError("opened"))

    with pytest.raises(OrderflowError, match="opened"):
        await CosmosContainer(STAND_IN, "orderflow", "orders", A_MOMENT).read("a", "b")

    credential.assert_not_called()
    assert client.call_args.args == (STAND_IN.endpoint, "a2V5")


async def test_service_bus_is_opened_with_the_credential_of_its_connection(mocker: MockerFixture) -> None:
    credential = mocker.patch.object(service_bus, "credential")
    client = mocker.patch.object(service_bus, "ServiceBusClient", side_effect=RuntimeError("opened"))

    with pytest.raises(OrderflowError):
        await ServiceBusOutput(IN_AZURE, A_MOMENT).send("inventory", [WireMessage(id="1", body=b"")])

    credential.assert_called_with("client-of-orders")
    assert client.call_args.args == (IN_AZURE.endpoint, credential.return_value)

"""The errors that Cosmos DB answers with.

Statuses, codes and sub-statuses: https://learn.microsoft.com/rest/api/cosmos-db/http-status-codes-for-cosmosdb
"""

from http import HTTPStatus

_CODES = {status.value: status.phrase.replace(" ", "") for status in HTTPStatus}
_CODES |= {413: "RequestEntityTooLarge", 449: "RetryWith"}

PARTITION_KEY_MISMATCH = 1001
OWNER_NOT_FOUND = 1003
CONTAINER_MISMATCH = 1024


class CosmosError(Exception):
    """An answer other than success: its status, sub-status (0: none) and message."""

    def __init__(self, status: int, message: str, substatus: int = 0) -> None:
        super().__init__(message)
        self.status, self.message, self.substatus = status, message, substatus


def body(status: int, message: str) -> dict[str, str]:
    """What an error's body says."""
    return {"code": _CODES.get(status, "Unknown"), "message": message}


def bad_request(message: str, substatus: int = 0) -> CosmosError:
    """400: the request is wrong and stays wrong."""
    return CosmosError(400, message, substatus)


def invalid_id(id: object, limit: int) -> CosmosError:
    """400 for the id of a resource; SDKs look at the text."""
    ensure = f"Ensure to provide a unique non-empty string less than '{limit}' characters."
    return bad_request(f"The input name '{id}' is invalid. {ensure} Nor may it have / \\ # ? or end in a space.")


def not_found() -> CosmosError:
    """404: the item, container or database itself isn't there."""
    return CosmosError(404, "Entity with the specified id does not exist in the system.")


def owner_not_found() -> CosmosError:
    """404 with sub-status 1003: what the resource would be in isn't there."""
    return CosmosError(404, "Owner resource does not exist", OWNER_NOT_FOUND)


def conflict() -> CosmosError:
    """409: the id is taken."""
    return CosmosError(409, "Entity with the specified id already exists in the system.")


def precondition_failed() -> CosmosError:
    """412: an ETag doesn't match, or a patch's condition doesn't hold."""
    return CosmosError(412, "One of the specified pre-condition is not met.")


def unsupported(what: str) -> CosmosError:
    """501: the service can, this stand-in can't."""
    return CosmosError(501, f"The local stand-in for Cosmos DB doesn't support {what}.")

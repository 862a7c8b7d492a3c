"""The errors that Cosmos DB answers with.

Statuses, codes and sub-statuses: https://learn.microsoft.com/rest/api/cosmos-db/http-status-codes-for-cosmosdb
"""

_CODES = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    408: "RequestTimeout",
    409: "Conflict",
    410: "Gone",
    412: "PreconditionFailed",
    413: "RequestEntityTooLarge",
    424: "FailedDependency",
    429: "TooManyRequests",
    449: "RetryWith",
    500: "InternalServerError",
    501: "NotImplemented",
    503: "ServiceUnavailable",
}

PARTITION_KEY_MISMATCH = 1001
OWNER_NOT_FOUND = 1003
COLLECTION_RID_MISMATCH = 1024


class CosmosError(Exception):
    """An answer other than success: its status, sub-status (0: none) and message."""

    def __init__(self, status: int, message: str, substatus: int = 0) -> None:
        super().__init__(message)
        self.status, self.message, self.substatus = status, message, substatus

    @property
    def body(self) -> dict[str, str]:
        """What the answer's body says."""
        return {"code": code(self.status), "message": self.message}


def code(status: int) -> str:
    """The name that goes with a status."""
    return _CODES.get(status, "Unknown")


def bad_request(message: str, substatus: int = 0) -> CosmosError:
    """400: the request is wrong and stays wrong."""
    return CosmosError(400, message, substatus)


def not_found(what: str = "Entity with the specified id does not exist in the system.") -> CosmosError:
    """404: the item, container or database itself isn't there."""
    return CosmosError(404, what)


def owner_not_found() -> CosmosError:
    """404 with sub-status 1003: what the resource would be in isn't there."""
    return CosmosError(404, "Owner resource does not exist", OWNER_NOT_FOUND)


def conflict() -> CosmosError:
    """409: the id is taken."""
    return CosmosError(409, "Entity with the specified id already exists in the system.")


def precondition_failed() -> CosmosError:
    """412: an ETag doesn't match, or a patch's condition doesn't hold."""
    return CosmosError(412, "One of the specified pre-condition is not met.")


def too_large(what: str) -> CosmosError:
    """413: above a limit of the service."""
    return CosmosError(413, f"{what} is too large.")


def unsupported(what: str) -> CosmosError:
    """501: the service can, this stand-in can't."""
    return CosmosError(501, f"The local stand-in for Cosmos DB doesn't support {what}.")

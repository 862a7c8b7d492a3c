"""Who the app is in Azure: its user-assigned managed identity, or the developer who runs it."""

from datetime import UTC, datetime
from functools import cache

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError
from azure.identity.aio import DefaultAzureCredential, ManagedIdentityCredential

from shared.errors import Unavailable


@cache
def credential(client_id: str | None) -> AsyncTokenCredential:
    """One credential a process and identity. With a client id the managed identity, and nothing else is tried."""
    return ManagedIdentityCredential(client_id=client_id) if client_id else DefaultAzureCredential()


async def token_of_identity(client_id: str | None, scope: str) -> tuple[str, datetime]:
    """A token of who the app is, and until when it is good. Raises Unavailable."""
    try:
        token = await credential(client_id).get_token(scope)
    except AzureError as error:
        raise Unavailable(f"the app's identity got no token: {type(error).__name__}") from error
    return token.token, datetime.fromtimestamp(token.expires_on, UTC)

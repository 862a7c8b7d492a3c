"""Who the app is in Azure: its user-assigned managed identity, or the developer who runs it."""

from functools import cache

from azure.core.credentials_async import AsyncTokenCredential
from azure.identity.aio import DefaultAzureCredential, ManagedIdentityCredential


@cache
def credential(client_id: str | None) -> AsyncTokenCredential:
    """One credential a process and identity. With a client id the managed identity, and nothing else is tried."""
    return ManagedIdentityCredential(client_id=client_id) if client_id else DefaultAzureCredential()

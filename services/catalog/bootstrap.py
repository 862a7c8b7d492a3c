"""Catalog's composition root."""

import os
from datetime import timedelta
from typing import ClassVar

import azure.functions as func
from pydantic import Field

from services.catalog import functions
from services.catalog.repositories import Products
from shared.adapters.azure import azure_context
from shared.context import BoundedContext
from shared.pages import SigningIn
from shared.settings import Seconds, Settings


class CatalogSettings(Settings):
    """What catalog adds to what every context needs."""

    context: ClassVar[str] = "catalog"

    import_timeout: Seconds = Field(timedelta(seconds=150), alias="IMPORT_TIMEOUT_SECONDS")
    """How long an import waits for a throttled store before it reports the rest as `failed`; Azure cuts a request off
    at 230."""
    page_client_id: str = Field("", alias="API_PAGE_CLIENT_ID")
    """As which public client of the issuer the API's page signs its reader in; without one, they paste a token."""
    page_scope: str = Field("openid", alias="API_PAGE_SCOPE", min_length=1)
    """Which scopes it asks for, parted by spaces, so that the token is for the audience."""

    @property
    def signing_in(self) -> SigningIn:
        """The page's share."""
        return SigningIn(self.issuer, self.page_client_id, self.page_scope, self.roles_claim)


def products(context: BoundedContext) -> Products:
    """The catalogue, for one request."""
    return Products(context.container, context.outbox)


def blueprint() -> func.Blueprint:
    """The context's functions, from the environment's settings. Raises SettingsError."""
    settings = CatalogSettings.read(os.environ)
    context = azure_context(settings)
    return functions.blueprint(context, lambda: products(context), settings.import_timeout, settings.signing_in)

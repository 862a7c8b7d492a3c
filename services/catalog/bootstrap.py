"""Catalog's composition root."""

import os
from datetime import timedelta
from typing import ClassVar

import azure.functions as func
from pydantic import Field

from services.catalog import functions
from services.catalog.adapters import ProductAdapter
from shared.adapters.azure import azure_context
from shared.context import BoundedContext
from shared.settings import Seconds, Settings


class CatalogSettings(Settings):
    """What catalog adds to what every context needs."""

    context: ClassVar[str] = "catalog"

    import_timeout: Seconds = Field(timedelta(seconds=150), alias="IMPORT_TIMEOUT_SECONDS")
    """How long an import waits for a throttled store before it reports the rest as `failed`; Azure cuts a request off
    at 230."""


def products(context: BoundedContext) -> ProductAdapter:
    """The catalogue, for one request."""
    return ProductAdapter(context.container, context.outbox)


def blueprint() -> func.Blueprint:
    """The context's functions, from the environment's settings. Raises SettingsError."""
    settings = CatalogSettings.read(os.environ)
    context = azure_context(settings)
    return functions.blueprint(context, lambda: products(context), settings.import_timeout)

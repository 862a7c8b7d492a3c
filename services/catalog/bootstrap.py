"""Catalog's composition root."""

import os
from typing import ClassVar

import azure.functions as func

from services.catalog import functions
from services.catalog.adapters import ProductAdapter
from shared.adapters.azure import azure_context
from shared.context import BoundedContext
from shared.settings import Settings


class CatalogSettings(Settings):
    """Catalog needs nothing but what every context needs."""

    context: ClassVar[str] = "catalog"


def products(context: BoundedContext) -> ProductAdapter:
    """The catalogue, for one request."""
    return ProductAdapter(context.container, context.outbox)


def blueprint() -> func.Blueprint:
    """The context's functions, from the environment's settings. Raises SettingsError."""
    context = azure_context(CatalogSettings.read(os.environ))
    return functions.blueprint(context, lambda: products(context))

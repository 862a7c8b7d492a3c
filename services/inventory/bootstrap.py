"""Inventory's composition root."""

import os
from typing import ClassVar

import azure.functions as func

from services.inventory import functions
from services.inventory.adapters import DecisionAdapter, StockAdapter
from services.inventory.handlers import Dependencies
from shared.adapters.azure import azure_context
from shared.context import BoundedContext
from shared.settings import Settings


class InventorySettings(Settings):
    """Inventory needs nothing but what every context needs."""

    context: ClassVar[str] = "inventory"


def dependencies(context: BoundedContext) -> Dependencies:
    """The handlers' needs, on the context's container."""
    stock = StockAdapter(context.container)
    decisions = DecisionAdapter(context.container, context.outbox)
    return Dependencies(stock, stock, decisions, context.outbox, context.system)


def blueprint() -> func.Blueprint:
    """The context's functions, from the environment's settings. Raises SettingsError."""
    context = azure_context(InventorySettings.read(os.environ))
    return functions.blueprint(context, dependencies(context))

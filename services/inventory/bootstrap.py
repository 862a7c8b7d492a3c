"""Inventory's composition root."""

import os
from datetime import timedelta
from typing import ClassVar

import azure.functions as func
from pydantic import Field

from services.inventory import functions
from services.inventory.handlers import Dependencies
from services.inventory.repositories import Decisions, Stock
from shared.adapters.azure import azure_context
from shared.context import BoundedContext
from shared.settings import Seconds, Settings


class InventorySettings(Settings):
    """How long a short line waits for what other orders may give back."""

    context: ClassVar[str] = "inventory"

    stock_timeout: Seconds = Field(timedelta(seconds=10), alias="STOCK_TIMEOUT_SECONDS")
    """How long an order waits for units of a short line that other orders have set aside, before it is rejected; from
    its first attempt on, and to the end of the retry that is under way by then."""


def dependencies(context: BoundedContext, settings: InventorySettings) -> Dependencies:
    """The handlers' needs, on the context's container."""
    stock, decisions = Stock(context.container, context.outbox), Decisions(context.container, context.outbox)
    return Dependencies(stock, decisions, context.outbox, context.system, settings.stock_timeout)


def blueprint() -> func.Blueprint:
    """The context's functions, from the environment's settings. Raises SettingsError."""
    settings = InventorySettings.read(os.environ)
    context = azure_context(settings)
    return functions.blueprint(context, dependencies(context, settings))

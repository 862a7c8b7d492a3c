"""Shipping's composition root."""

import os
from typing import ClassVar

import azure.functions as func

from services.shipping import functions
from services.shipping.handlers import Dependencies
from services.shipping.repositories import Shipments
from shared.adapters.azure import azure_context
from shared.context import BoundedContext
from shared.settings import Settings


class ShippingSettings(Settings):
    """Shipping needs nothing but what every context needs."""

    context: ClassVar[str] = "shipping"


def dependencies(context: BoundedContext) -> Dependencies:
    """The handlers' needs, on the context's container."""
    return Dependencies(Shipments(context.container, context.outbox), context.outbox, context.system)


def blueprint() -> func.Blueprint:
    """The context's functions, from the environment's settings. Raises SettingsError."""
    context = azure_context(ShippingSettings.read(os.environ))
    return functions.blueprint(context, dependencies(context))

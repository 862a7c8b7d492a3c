"""Operations' composition root."""

import os
from datetime import timedelta
from typing import ClassVar

import azure.functions as func
from pydantic import Field

from services.operations import functions
from services.operations.adapters import EventAdapter
from services.operations.handlers import Dependencies
from shared.adapters.azure import azure_context
from shared.context import BoundedContext
from shared.settings import Settings


class OperationsSettings(Settings):
    """How long operations remembers."""

    context: ClassVar[str] = "operations"

    keep_days: int = Field(90, alias="OPERATIONS_KEEP_DAYS", ge=1, le=3650)
    """How many days after its last event an order has a timeline."""


def dependencies(context: BoundedContext, settings: OperationsSettings) -> Dependencies:
    """The handlers' needs, on the context's container."""
    keep = timedelta(days=settings.keep_days)
    return Dependencies(EventAdapter(context.container, keep), context.system, keep)


def blueprint() -> func.Blueprint:
    """The context's functions, from the environment's settings. Raises SettingsError."""
    settings = OperationsSettings.read(os.environ)
    context = azure_context(settings)
    return functions.blueprint(context, dependencies(context, settings))

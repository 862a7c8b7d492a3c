"""Orders' composition root."""

import os
from typing import ClassVar

import azure.functions as func
from pydantic import Field

from services.orders import functions
from services.orders.adapters import OrderAdapter, PriceAdapter
from services.orders.domain import Patience
from services.orders.handlers import Desk, Limits
from shared.adapters.azure import azure_context
from shared.context import BoundedContext
from shared.settings import Seconds, Settings


class OrdersSettings(Settings):
    """How long an order waits, and the limits that the payment provider sets to its total."""

    context: ClassVar[str] = "orders"

    first_chase: Seconds = Field(Patience().first_chase, alias="ORDERS_FIRST_CHASE_SECONDS")
    longest_chase: Seconds = Field(Patience().longest_chase, alias="ORDERS_LONGEST_CHASE_SECONDS")
    dispatch_chase: Seconds = Field(Patience().dispatch_chase, alias="ORDERS_DISPATCH_CHASE_SECONDS")
    reply_patience: Seconds = Field(Patience().reply, alias="ORDERS_GIVE_UP_SECONDS")
    dispatch_patience: Seconds = Field(Patience().dispatch, alias="ORDERS_DISPATCH_GIVE_UP_SECONDS")
    least_total: int = Field(30, alias="ORDERS_LEAST_TOTAL", ge=1)
    most_total: int = Field(99_999_999, alias="ORDERS_MOST_TOTAL", ge=1)

    @property
    def patience(self) -> Patience:
        """The domain's share."""
        return Patience(
            self.first_chase, self.longest_chase, self.dispatch_chase, self.reply_patience, self.dispatch_patience
        )


def desk(context: BoundedContext, settings: OrdersSettings) -> Desk:
    """The handlers' needs, on the context's container."""
    return Desk(
        orders=OrderAdapter(context.container, context.outbox),
        prices=PriceAdapter(context.container),
        system=context.system,
        patience=settings.patience,
        limits=Limits(settings.least_total, settings.most_total),
    )


def blueprint() -> func.Blueprint:
    """The context's functions, from the environment's settings. Raises SettingsError."""
    settings = OrdersSettings.read(os.environ)
    context = azure_context(settings)
    return functions.blueprint(context, desk(context, settings))

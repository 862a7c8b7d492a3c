"""Orders' composition root."""

import os
from typing import ClassVar

import azure.functions as func
from pydantic import Field

from services.orders import functions
from services.orders.handlers import Dependencies, Limits
from services.orders.rate_limit import RateLimit
from services.orders.repositories import Erasures, OrderCounts, Orders, Prices
from services.orders.timeouts import Timeouts
from shared.adapters.azure import azure_context
from shared.context import BoundedContext
from shared.currencies import amount_step, least_total
from shared.parking import ParkedMessages
from shared.settings import Seconds, SecondsOrOff, Settings


class OrdersSettings(Settings):
    """How long an order waits, and the limits that the payment provider sets to its total."""

    context: ClassVar[str] = "orders"

    first_resend: Seconds = Field(Timeouts().first_resend, alias="ORDERS_FIRST_RESEND_SECONDS")
    """When outstanding commands are sent again; doubles with each resend."""
    longest_resend: Seconds = Field(Timeouts().longest_resend, alias="ORDERS_LONGEST_RESEND_SECONDS")
    """The longest time between two resends."""
    dispatch_resend: Seconds = Field(Timeouts().dispatch_resend, alias="ORDERS_DISPATCH_RESEND_SECONDS")
    """Between two resends of a shipment that the warehouse knows."""
    reply_timeout: Seconds = Field(Timeouts().reply, alias="ORDERS_GIVE_UP_SECONDS")
    """How long stock, and then payment, may take."""
    dispatch_timeout: Seconds = Field(Timeouts().dispatch, alias="ORDERS_DISPATCH_GIVE_UP_SECONDS")
    """How long the warehouse may take (six days): less than an authorisation lives."""
    resend_run: Seconds = Field(Timeouts().resend_run, alias="ORDERS_RESEND_RUN_SECONDS")
    """How long one run of sending again may take: less than the time between two sweeps, since the outbox's shares the
    timer."""
    retention: SecondsOrOff = Field(Timeouts().retention, alias="ORDERS_RETENTION_SECONDS")
    """How long after its placing an order that is final tells of its customer; then a mark takes the place of name,
    address and e-mail. 0 is for ever."""
    least_total: int | None = Field(None, alias="ORDERS_LEAST_TOTAL", ge=1)
    """The least total that the payment provider takes, in minor units: 30 for GBP, 50 for EUR, USD and JPY, …
    (`shared/currencies.py`)."""
    most_total: int = Field(99_999_999, alias="ORDERS_MOST_TOTAL", ge=1)
    """The most that it takes."""
    orders_per_minute: int = Field(60, alias="ORDERS_PER_CUSTOMER_PER_MINUTE", ge=0)
    """How many a caller may place; 0 is without a limit."""

    @property
    def timeouts(self) -> Timeouts:
        """The domain's share."""
        return Timeouts(
            self.first_resend,
            self.longest_resend,
            self.dispatch_resend,
            self.reply_timeout,
            self.dispatch_timeout,
            self.resend_run,
            self.retention,
        )

    @property
    def limits(self) -> Limits:
        """What the provider takes of the shop's currency."""
        least = self.least_total or least_total(self.currency)
        return Limits(least, self.most_total, amount_step(self.currency))


def dependencies(context: BoundedContext, settings: OrdersSettings) -> Dependencies:
    """The handlers' needs, on the context's container."""
    return Dependencies(
        orders=Orders(context.container, context.outbox),
        prices=Prices(context.container, context.outbox),
        erasures=Erasures(context.container, context.outbox),
        parked=ParkedMessages(context.container, context.system, settings.parked),
        outbox=context.outbox,
        system=context.system,
        timeouts=settings.timeouts,
        limits=settings.limits,
        rate_limit=RateLimit(OrderCounts(context.container), context.system, settings.orders_per_minute),
    )


def blueprint() -> func.Blueprint:
    """The context's functions, from the environment's settings. Raises SettingsError."""
    settings = OrdersSettings.read(os.environ)
    context = azure_context(settings)
    return functions.blueprint(context, dependencies(context, settings))

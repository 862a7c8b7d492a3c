"""Payments' composition root."""

import os
from datetime import timedelta
from typing import ClassVar

import azure.functions as func
from pydantic import Field

from services.payments import functions
from services.payments.adapters import PaymentAdapter, StripeProvider
from services.payments.handlers import Dependencies
from services.payments.ports import Provider
from shared.adapters.azure import azure_context
from shared.context import BoundedContext
from shared.settings import Seconds, Settings


class PaymentsSettings(Settings):
    """Where the provider is, the key to it, and how long its answer may take."""

    context: ClassVar[str] = "payments"

    provider_address: str = Field("https://api.stripe.com", alias="PAYMENT_PROVIDER_ADDRESS", pattern="^https?://")
    provider_key: str = Field(alias="PAYMENT_PROVIDER_KEY", min_length=1)
    provider_timeout: Seconds = Field(timedelta(seconds=10), alias="PAYMENT_PROVIDER_TIMEOUT_SECONDS")


def dependencies(context: BoundedContext, provider: Provider) -> Dependencies:
    """The handlers' needs, on the context's container."""
    return Dependencies(PaymentAdapter(context.container, context.outbox), provider, context.outbox, context.system)


def blueprint() -> func.Blueprint:
    """The context's functions, from the environment's settings. Raises SettingsError."""
    settings = PaymentsSettings.read(os.environ)
    context = azure_context(settings)
    provider = StripeProvider(settings.provider_address, settings.provider_key, settings.provider_timeout)
    return functions.blueprint(context, dependencies(context, provider))

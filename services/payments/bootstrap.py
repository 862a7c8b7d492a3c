"""Payments' composition root."""

import os
import re
from datetime import timedelta
from typing import Annotated, ClassVar

import azure.functions as func
from pydantic import AfterValidator, Field

from services.payments import functions
from services.payments.adapters import StripeProvider
from services.payments.handlers import Dependencies
from services.payments.ports import Provider
from services.payments.repositories import Payments
from shared.adapters.azure import azure_context
from shared.context import BoundedContext
from shared.settings import Seconds, Settings

_SECRET_KEY = re.compile(r"(sk|rk)_(test|live)_[A-Za-z0-9_]+", re.ASCII)


def _secret_key(key: str) -> str:
    if not _SECRET_KEY.fullmatch(key):
        raise ValueError("should be a secret or restricted key of the provider: sk_… or rk_…, then test_ or live_")
    return key


class PaymentsSettings(Settings):
    """Where the provider is, the key to it, and how long its answer may take."""

    context: ClassVar[str] = "payments"

    # Behind a path, each order would be answered 404, a definite no.
    provider_address: str = Field(
        "https://api.stripe.com", alias="PAYMENT_PROVIDER_ADDRESS", pattern=r"^https?://[^/?#\s]+$"
    )
    """Where Stripe's API is, without a path."""
    provider_key: Annotated[str, AfterValidator(_secret_key)] = Field(alias="PAYMENT_PROVIDER_KEY", repr=False)
    """The secret key."""
    provider_timeout: Seconds = Field(timedelta(seconds=10), alias="PAYMENT_PROVIDER_TIMEOUT_SECONDS")
    """The longest that a call of the provider may take."""


def dependencies(context: BoundedContext, provider: Provider) -> Dependencies:
    """The handlers' needs, on the context's container."""
    return Dependencies(Payments(context.container, context.outbox), provider, context.outbox, context.system)


def blueprint() -> func.Blueprint:
    """The context's functions, from the environment's settings. Raises SettingsError."""
    settings = PaymentsSettings.read(os.environ)
    context = azure_context(settings)
    provider = StripeProvider(settings.provider_address, settings.provider_key, settings.provider_timeout)
    return functions.blueprint(context, dependencies(context, provider))

"""A bounded context on Azure: the adapters of every composition root. Nothing connects before the first call."""

from shared.access import Caller
from shared.adapters.cosmos import CosmosContainer
from shared.adapters.service_bus import ServiceBusOutput
from shared.adapters.system import RealSystem
from shared.context import BoundedContext, bounded_context
from shared.errors import InvalidToken
from shared.settings import Settings


class _NoTokensYet:
    async def authenticate(self, token: str) -> Caller:
        raise InvalidToken("no token is known yet")


def azure_context(settings: Settings) -> BoundedContext:
    """The context of these settings, over its own container and its own right to send."""
    opening = settings.open_timeout
    container = CosmosContainer(settings.cosmos, settings.database, settings.context, settings.cosmos_timeout, opening)
    sender = ServiceBusOutput(settings.service_bus, settings.service_bus_timeout, opening)
    return bounded_context(settings, container, sender, RealSystem(), _NoTokensYet())

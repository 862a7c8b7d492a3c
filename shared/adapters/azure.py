"""A bounded context on Azure: the adapters of every composition root. Nothing connects before the first call."""

from functools import cache, partial

from shared.access import Authenticator
from shared.adapters.cosmos import CosmosContainer
from shared.adapters.openid import published_keys
from shared.adapters.service_bus import ServiceBusOutput
from shared.adapters.system import RealSystem
from shared.authentication import TokenAuthenticator, TokenRules
from shared.context import BoundedContext, bounded_context
from shared.settings import Settings
from shared.signing_keys import SigningKeys


def azure_context(settings: Settings) -> BoundedContext:
    """The context of these settings, over its own container and its own right to send."""
    opening = settings.open_timeout
    container = CosmosContainer(settings.cosmos, settings.database, settings.context, settings.cosmos_timeout, opening)
    sender = ServiceBusOutput(settings.service_bus, settings.service_bus_timeout, opening)
    return bounded_context(settings, container, sender, RealSystem(), authenticator(settings.token_rules))


@cache
def authenticator(rules: TokenRules) -> Authenticator:
    """One a process and issuer: contexts that run in one app share the keys that it has read."""
    system = RealSystem()
    return TokenAuthenticator(rules, SigningKeys(partial(published_keys, rules.issuer), system), system)

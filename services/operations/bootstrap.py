"""Operations' composition root."""

import os
from datetime import datetime, timedelta
from typing import Annotated, ClassVar

import azure.functions as func
from pydantic import AfterValidator, Field

from services.operations import functions
from services.operations.adapters import ContextsOverHttp, OwnToken
from services.operations.handlers import Dependencies
from services.operations.ports import Contexts
from services.operations.reconciling import LONGEST_WINDOW
from services.operations.repositories import Disagreements, Events, Sums
from shared.adapters.azure import azure_context
from shared.adapters.identity import token_of_identity
from shared.adapters.openid import token_of_client
from shared.context import BoundedContext
from shared.pages import SigningIn
from shared.ports import System
from shared.settings import Seconds, Settings, is_encrypted_or_local


def _addresses(text: str) -> str:
    for each in filter(None, text.split(",")):
        context, _, address = each.partition("=")
        if not context or not is_encrypted_or_local(address):
            raise ValueError("should be CONTEXT=https://…/api for each context, separated by commas")
    return text


class OperationsSettings(Settings):
    """How long operations remembers, where the contexts answer, as whom it asks them, and how its page's readers sign
    in."""

    context: ClassVar[str] = "operations"

    addresses: Annotated[str, AfterValidator(_addresses)] = Field("", alias="OPERATIONS_ADDRESSES")
    """Where each context answers that is asked, this one included: `orders=https://…/api`, separated by commas."""
    client_id: str = Field("operations", alias="OPERATIONS_CLIENT_ID")
    """As which client of the issuer operations gets its tokens, by `OPERATIONS_CLIENT_SECRET`."""
    client_secret: str = Field("", alias="OPERATIONS_CLIENT_SECRET", repr=False)
    """That client's secret. Without it the issuer is Entra ID, and the app's managed identity asks."""
    scope: str = Field("", alias="OPERATIONS_SCOPE")
    """What the tokens are for; `api://<IDENTITY_AUDIENCE>/.default` without."""

    keep_days: int = Field(90, alias="OPERATIONS_KEEP_DAYS", ge=1, le=3650)
    """How many days after its last event an order has a timeline."""
    reconcile_window: Seconds = Field(
        timedelta(hours=1), alias="OPERATIONS_RECONCILE_WINDOW_SECONDS", le=LONGEST_WINDOW
    )
    """How old an order's last event is when what the contexts say of it is compared: what is wrong with it by then is
    found."""
    console_client_id: str = Field("", alias="CONSOLE_CLIENT_ID")
    """As which public client of the issuer the console signs its reader in; without one nobody can."""
    console_scope: str = Field("openid", alias="CONSOLE_SCOPE", min_length=1)
    """Which scopes it asks for, parted by spaces, so that the token is for the audience."""

    @property
    def signing_in(self) -> SigningIn:
        """The console's share."""
        return SigningIn(self.issuer, self.console_client_id, self.console_scope, self.roles_claim)


def dependencies(context: BoundedContext, settings: OperationsSettings, contexts: Contexts) -> Dependencies:
    """The handlers' needs, on the context's container."""
    keep = timedelta(days=settings.keep_days)
    return Dependencies(
        events=Events(context.container, keep),
        sums=Sums(context.container, context.outbox),
        disagreements=Disagreements(context.container, context.outbox, keep),
        contexts=contexts,
        system=context.system,
        keep=keep,
        window=settings.reconcile_window,
    )


def contexts_of(settings: OperationsSettings, system: System) -> ContextsOverHttp:
    """The contexts at their addresses, asked by this app's own token."""
    scope = settings.scope or f"api://{settings.audience}/.default"

    async def issue() -> tuple[str, datetime]:
        if not settings.client_secret:
            return await token_of_identity(settings.service_bus.client_id, scope)
        token, seconds = await token_of_client(settings.issuer, settings.client_id, settings.client_secret, scope)
        return token, system.now() + timedelta(seconds=seconds)

    addresses = dict(each.split("=", 1) for each in settings.addresses.split(",") if each)
    return ContextsOverHttp(addresses, OwnToken(issue, system, settings.open_timeout))


def blueprint() -> func.Blueprint:
    """The context's functions, from the environment's settings. Raises SettingsError."""
    settings = OperationsSettings.read(os.environ)
    context = azure_context(settings)
    deps = dependencies(context, settings, contexts_of(settings, context.system))
    return functions.blueprint(context, deps, settings.signing_in)

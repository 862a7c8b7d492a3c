"""What a composition root builds first: one bounded context's storage, outbox and broker."""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.access import Authenticator
from shared.contracts import Contract
from shared.dispatch import Dispatcher, Handler
from shared.outbox import Outbox
from shared.ports import Container, Sender, System
from shared.settings import Settings


@dataclass(frozen=True, slots=True)
class BoundedContext:
    """The ports of one context and what stands on them."""

    settings: Settings
    container: Container
    sender: Sender
    system: System
    outbox: Outbox
    authenticator: Authenticator

    @property
    def name(self) -> str:
        """The context's name, which is its container's, too."""
        return self.settings.context

    @property
    def connection(self) -> str:
        """The name of the Service Bus connection that its triggers use."""
        return f"SERVICEBUS_{self.name.upper()}"

    def dispatcher(self, queue: str, handlers: Mapping[type[Contract], Handler]) -> Dispatcher:
        """What handles the messages of one of its queues."""
        times = self.settings.retry_times
        return Dispatcher(queue, handlers, self.container, self.sender, self.system, times)


def bounded_context(
    settings: Settings, container: Container, sender: Sender, system: System, authenticator: Authenticator
) -> BoundedContext:
    """Put the ports together."""
    outbox = Outbox(container, sender, system, settings.outbox_times)
    return BoundedContext(settings, container, sender, system, outbox, authenticator)

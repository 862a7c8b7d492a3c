"""What a client wants done, once: with what it hears of it, and with what a fault makes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proton import Link

from local.faults import Fault
from local.service_bus.codec import DecodeError
from local.service_bus.refusal import CONDITIONS, Refused

if TYPE_CHECKING:
    from local.service_bus.connection import Connection


@dataclass(frozen=True, slots=True)
class Attempt:
    """`effect` does it, or raises Refused; then the client hears `reply`, or why not by `refuse`.

    `reply_twice` is the reply under the fault `duplicate`, for what knows that one. Nothing is said any more once
    `link` is detached.
    """

    operation: str
    path: str
    link: Link | None
    effect: Callable[[], None]
    reply: Callable[[], None]
    refuse: Callable[[Refused], None]
    reply_twice: Callable[[], None] | None = None

    def run(self, connection: Connection) -> None:
        """Do it and reply; unless a fault wants something else."""
        server = connection.server
        server.stats.request(self.operation)
        fault = server.faults.take("", self.path, self.operation)
        if fault is None:
            self._do(self.reply)
            return
        server.stats.add("faults")
        if fault.when == "after":
            self._do(lambda: self._strike(fault, connection, self.reply))
        else:
            self._strike(fault, connection, lambda: self._do(self.reply))

    def _do(self, then: Callable[[], None]) -> None:
        try:
            self.effect()
        except DecodeError as error:
            self.refuse(Refused("amqp:decode-error", str(error)))
        except Refused as refused:
            self.refuse(refused)
        else:
            then()

    def _strike(self, fault: Fault, connection: Connection, go_on: Callable[[], None]) -> None:
        match fault.kind:
            case "reset":
                connection.abort()
            case "hang" if fault.seconds is not None:
                connection.later(fault.seconds, None, connection.abort)
            case "slow":
                connection.later(1 if fault.seconds is None else fault.seconds, self.link, go_on)
            case "status":
                self.refuse(Refused(CONDITIONS[fault.status], f"injected by {fault.id}"))
            case "duplicate":
                self._do(self.reply_twice or self.reply)

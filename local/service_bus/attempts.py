"""What a client wants done, once: with what it hears of it, and with what a fault makes of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from proton import Link

from local.faults import Fault, Faults, Stats
from local.service_bus.codec import DecodeError
from local.service_bus.refusal import CONDITIONS, Refused

type Action = Callable[[], None]


class Attempts:
    """Those of one connection, which `abort` resets, and which does a thing `later` if its link is still there."""

    def __init__(
        self, faults: Faults, stats: Stats, abort: Action, later: Callable[[float, Link | None, Action], None]
    ) -> None:
        self._faults, self._stats, self._abort, self._later = faults, stats, abort, later

    def run(
        self, operation: str, path: str, link: Link | None, effect: Action, reply: Action,
        refuse: Callable[[Refused], None], reply_twice: Action | None = None,
    ) -> None:  # fmt: skip
        """Do `effect`, which may raise Refused, and tell by `reply` or `refuse`; unless a fault wants something else.

        `reply_twice` is the reply under the fault `duplicate`, for what knows that one.
        """
        do = partial(_do, effect, refuse)
        self._stats.request(operation)
        fault = self._faults.take("", path, operation)
        if fault is None:
            do(reply)
            return
        self._stats.add("faults")
        if fault.kind == "duplicate":
            do(reply_twice or reply)
        elif fault.when == "after":
            do(lambda: self._strike(fault, link, reply, refuse))
        else:
            self._strike(fault, link, lambda: do(reply), refuse)

    def _strike(self, fault: Fault, link: Link | None, go_on: Action, refuse: Callable[[Refused], None]) -> None:
        match fault.kind:
            case "reset":
                self._abort()
            case "hang" if fault.seconds is not None:
                self._later(fault.seconds, None, self._abort)
            case "slow":
                self._later(1 if fault.seconds is None else fault.seconds, link, go_on)
            case "status":
                refuse(Refused(CONDITIONS[fault.status], f"injected by {fault.id}"))


def _do(effect: Action, refuse: Callable[[Refused], None], then: Action) -> None:
    try:
        effect()
    except DecodeError as error:
        refuse(Refused("amqp:decode-error", str(error)))
    except Refused as refused:
        refuse(refused)
    else:
        then()

"""What a client wants done, once: with what it hears of it, and with what a fault makes of it."""

from collections.abc import Callable

from proton import Link

from local.faults import Fault, Faults, Stats
from local.service_bus.refusal import CONDITIONS, Refused

type Action = Callable[[], None]
type Later = Callable[[float, Link | None, Action], None]


class Attempts:
    """Those of one connection, which `abort` resets, and which does a thing `later` if its link is still there."""

    def __init__(self, faults: Faults, stats: Stats, abort: Action, later: Later) -> None:
        self._faults, self._stats, self._abort, self._later = faults, stats, abort, later

    def run[T](
        self, operation: str, path: str, link: Link | None, effect: Callable[[], T], reply: Callable[[T], None],
        refuse: Callable[[Refused], None], lost: Action | None = None,
    ) -> None:  # fmt: skip
        """Do `effect`, which may raise Refused, and tell by `reply` or `refuse`; unless a fault wants it otherwise:
        `lost` tells that it is done where it isn't."""

        def do(then: Callable[[T], None] = reply) -> None:
            try:
                result = effect()
            except Refused as refused:
                refuse(refused)
            else:
                then(result)

        self._stats.request(operation)
        fault = self._faults.take("", path, operation)
        if fault is None:
            do()
            return
        self._stats.fault(fault)
        if fault.kind == "lost":
            (lost or do)()
        elif fault.when == "after":
            do(lambda result: self._strike(fault, link, lambda: reply(result), refuse))
        else:
            self._strike(fault, link, do, refuse)

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

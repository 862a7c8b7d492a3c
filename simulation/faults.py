"""Which faults a seed's history meets, how probable each is, and under which settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Faults:
    """How probable each fault is: of a call (die, unavailable … freeze), of a message (lost, dead), of a moment (lapse,
    forget); and how far the contexts' clocks may be apart, in seconds."""

    die: float = 0.0
    unavailable: float = 0.0
    throttled: float = 0.0
    sent_again: float = 0.0
    """The SDK lost the answer to a batch and sent it once more: the caller hears what the store says of that one."""
    contended: float = 0.0
    """The batch was written, and its answer is 449."""
    old_read: float = 0.0
    freeze: float = 0.0
    lost: float = 0.0
    dead: float = 0.0
    """The broker gave up on it, and so it is parked, for a person to replay."""
    lapse: float = 0.0
    forget: float = 0.0
    """The broker's window of duplicate detection ends."""
    apart: float = 0.0


COMPARED = {"OPERATIONS_RECONCILE_AFTER_SECONDS": "20", "OPERATIONS_RECONCILE_WINDOW_SECONDS": "60"}
"""So that it has what the contexts say of each order compared, too."""
IMPATIENT = COMPARED | {
    "ORDERS_FIRST_RESEND_SECONDS": "5",
    "ORDERS_LONGEST_RESEND_SECONDS": "15",
    "ORDERS_DISPATCH_RESEND_SECONDS": "15",
    "ORDERS_GIVE_UP_SECONDS": "20",
    "ORDERS_DISPATCH_GIVE_UP_SECONDS": "30",
    "OUTBOX_GRACE_SECONDS": "2",
    "RETRY_LONGEST_DELAY_SECONDS": "8",
    "ORDERS_PER_CUSTOMER_PER_MINUTE": "3",
}
"""So that a history of a minute meets every timeout, and the limit of who places most orders."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """What befalls a history, and under which settings."""

    name: str
    faults: Faults
    settings: Mapping[str, str] = field(default_factory=lambda: COMPARED)


EVERYTHING = Scenario(
    "everything",
    Faults(
        die=0.008,
        unavailable=0.008,
        throttled=0.004,
        sent_again=0.02,
        contended=0.01,
        old_read=0.06,
        freeze=0.002,
        lost=0.03,
        dead=0.02,
        lapse=0.001,
        forget=0.01,
        apart=4,
    ),
    IMPATIENT,
)
NOTHING_LOST = Scenario(
    "nothing lost",
    replace(
        EVERYTHING.faults,
        lost=0,
        dead=0,
        lapse=0,
        die=0.002,
        unavailable=0.002,
        throttled=0.001,
        old_read=0.03,
        freeze=0,
    ),
)
"""No message is lost: nothing needs the clock to be sent again."""
CLEAR_ANSWERS = Scenario("clear answers", Faults(freeze=0.002, forget=0.01))
"""Only order and repetition are the adversary's: no answer is lost, and none is old, so that nothing goes later."""

_SHARES = (*[EVERYTHING] * 8, NOTHING_LOST, CLEAR_ANSWERS)


def scenario_of(seed: int) -> Scenario:
    """By the seed's last digit: eight in ten meet everything."""
    return _SHARES[seed % len(_SHARES)]

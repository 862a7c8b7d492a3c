"""How many request units a second a container is good for, where a test has limited them.

As in Azure a request is admitted while the second's units aren't used up, whatever it will cost; what it costs beyond
them is paid for by those that follow, so that in the long run no more than the limit is spent.
"""

from dataclasses import dataclass


@dataclass(slots=True)
class Throughput:
    """The units of one container; times are in seconds of any clock that only rises."""

    rate: float
    at: float
    left: float = 0.0

    def __post_init__(self) -> None:
        self.left = self.rate

    def wait(self, now: float) -> float:
        """How many seconds until a request is admitted; 0: now."""
        self.left = min(self.rate, self.left + self.rate * (now - self.at))
        self.at = now
        return 0.0 if self.left > 0 else (1 - self.left) / self.rate

    def spend(self, charge: float) -> None:
        """Pay for a request that was admitted."""
        self.left -= charge

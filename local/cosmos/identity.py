"""Numbers, ETags and resource ids."""

import base64
import secrets
import time


class Sequence:
    """Rising numbers, also across restarts: microseconds since 1970, pushed on where the clock isn't."""

    def __init__(self, last: int) -> None:
        self.last, self._boot, self._etags = last, secrets.token_hex(4), 0

    def next(self) -> int:
        """A number higher than every one before."""
        self.last = max(self.last + 1, time.time_ns() // 1000)
        return self.last

    def etag(self) -> str:
        """An ETag that no version of anything has had, quotes included."""
        self._etags += 1
        return f'"{self._boot}-0000-0000-0000-{self._etags:012x}"'


def resource_id(owner: str, number: int, length: int) -> str:
    """The id of a resource: its owner's (none: empty), then the number in so many bytes."""
    raw = base64.b64decode(owner.replace("-", "/")) + number.to_bytes(length, "big")
    return base64.b64encode(raw).decode().replace("/", "-")


def number_of(rid: str) -> int:
    """The number in an item's resource id; ValueError for what is none."""
    return int.from_bytes(base64.b64decode(rid.replace("-", "/"), validate=True)[-8:], "big")

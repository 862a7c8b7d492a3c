"""Numbers, ETags and resource ids."""

import base64
import secrets
import time

MICROSECONDS = 1_000_000


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
        number = f"{self._etags:016x}"
        return f'"{self._boot}-{number[:4]}-{number[4:8]}-0000-{number[8:]:0>12}"'


def _encoded(raw: bytes) -> str:
    return base64.b64encode(raw).decode().replace("/", "-")


def _decoded(rid: str) -> bytes:
    return base64.b64decode(rid.replace("-", "/"))


def database_rid(number: int) -> str:
    """The resource id of a database."""
    return _encoded(number.to_bytes(4, "big"))


def container_rid(database: str, number: int) -> str:
    """The resource id of a container, which begins with its database's."""
    return _encoded(_decoded(database) + (0x8000_0000 | number).to_bytes(4, "big"))


def document_rid(container: str, row: int) -> str:
    """The resource id of a document, which begins with its container's."""
    return _encoded(_decoded(container) + row.to_bytes(8, "big"))

"""What may be told of a failure. Our own errors name fields and ids, never values. What a library says may repeat what
it was given (a document, an address, a key): of its errors the log has the type and where it came about, no more."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.errors import OrderflowError, Unexpected

_ROOT = f"{Path(__file__).parents[1]}/"
_SERVICES = f"{_ROOT}services/"


def told(failure: BaseException | None) -> str:
    """In one line: `Unavailable('Cosmos DB answered 503')`, or `KeyError at services/orders/handlers.py:120`."""
    if failure is None or isinstance(failure, OrderflowError):
        return repr(failure)
    ours = [each for each in traceback.extract_tb(failure.__traceback__) if each.filename.startswith(_SERVICES)]
    where = "".join(f" at {each.filename.removeprefix(_ROOT)}:{each.lineno}" for each in ours[-1:])
    return f"{type(failure).__name__}{where}"


def traced_back(failure: BaseException) -> str:
    """With every step of it and of its causes, the latest first."""
    parts: list[str] = []
    cause: BaseException | None = failure
    while cause:
        parts += [told(cause), "\n", *traceback.format_tb(cause.__traceback__)]
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return "".join(parts).rstrip()


@contextmanager
def telling_no_more() -> Iterator[None]:
    """What leaves the block, and is logged by the host with its text and all its causes, says what may be told."""
    try:
        yield
    except OrderflowError as failure:
        raise failure from None
    except Exception as failure:  # noqa: BLE001 - whatever it is, the host logs it
        raise Unexpected(traced_back(failure)) from None

"""Logs: one logger, whose records say which order and message they are about, never personal data.

They say it in fields, and in their text: the worker of Azure Functions hands nothing else of a record on.
"""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from shared.failures import traced_back

_fields: ContextVar[dict[str, str]] = ContextVar("orderflow_log_fields")
_TRACE_CONTEXT = re.compile("(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_traceparent: ContextVar[str | None] = ContextVar("orderflow_traceparent", default=None)


class _Fields(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        fields = {name: value for name, value in _fields.get({}).items() if value}
        text = record.getMessage()
        if fields:
            text += f" ({', '.join(f'{name}={value}' for name, value in fields.items())})"
        if record.exc_info and record.exc_info[1]:
            text += f"\n{traced_back(record.exc_info[1])}"
        record.msg, record.args, record.exc_info = text, None, None
        for name, value in fields.items():
            setattr(record, name, value)
        return True


log = logging.getLogger("orderflow")
log.addFilter(_Fields())


def log_event(name: str, text: str, *details: object) -> None:
    """An error that somebody should look at, under a stable name that alerts are built on: `name: text`."""
    log.error(f"{name}: {text}", *details, extra={"event": name})


@contextmanager
def logged_with(**fields: str) -> Iterator[None]:
    """Within the block, every record carries these fields (`message_id`, `subject`, `function` …)."""
    token = _fields.set(_fields.get({}) | fields)
    try:
        yield
    finally:
        _fields.reset(token)


@contextmanager
def traced(traceparent: str | None) -> Iterator[None]:
    """Within the block, messages that are sent carry this W3C trace context on; what is none is passed over."""
    token = _traceparent.set(traceparent if traceparent and is_trace_context(traceparent) else None)
    try:
        yield
    finally:
        _traceparent.reset(token)


def is_trace_context(text: str) -> bool:
    """Whether it is a `traceparent` of W3C Trace Context."""
    return _TRACE_CONTEXT.fullmatch(text) is not None


def current_traceparent() -> str | None:
    """The trace context that a message sent now belongs to."""
    return _traceparent.get()


# Clients that tell of every request at INFO would drown what the app says, and cost as much to store.
for _client in ("azure", "stripe", "httpx"):
    logging.getLogger(_client).setLevel(logging.WARNING)

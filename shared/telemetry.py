"""Logs and spans: what is told of the work, and of which order and message it is, never personal data.

There is one logger, whose records say these ids in fields and in their text: the host of Azure Functions is handed
nothing else of a record.

A span is one step of a trace, the tree of all that one request led to. Each step carries on the W3C trace context of
its cause, in messages and in what is stored, also where nobody records spans. Somebody does where the settings say so:
`shared.adapters.recorder`, which `record_with` puts in place.
"""

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

from shared.failures import traced_back

type Kind = Literal["INTERNAL", "CLIENT"]
"""Of a span: work of our own, or another service's that we wait for."""

_fields: ContextVar[dict[str, str]] = ContextVar("orderflow_log_fields")
_TRACE_CONTEXT = re.compile("(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_traceparent: ContextVar[str | None] = ContextVar("orderflow_traceparent", default=None)


class Recorder:
    """Who keeps spans and measurements; this one none. Trace contexts are texts in the form of `traceparent`."""

    def current(self) -> str | None:
        """The context that the host calls the function in."""
        return None

    @contextmanager
    def span(self, name: str, cause: str | None, kind: Kind, fields: Mapping[str, str]) -> Iterator[str | None]:
        """A span around the block, whose context it gives."""
        yield cause

    @contextmanager
    def sending(self, name: str, cause: str, fields: Mapping[str, str]) -> Iterator[str]:
        """That of a message, beside others; where it is sent in another trace, the two are linked."""
        yield cause

    def failed(self, reason: str) -> None:
        """The span that the work is in now has failed."""

    def measured(self, name: str, value: float, attributes: Mapping[str, str]) -> None:
        """So much was seen of a metric."""


_recorder = Recorder()


def record_with(recorder: Recorder | None) -> None:
    """From now on spans are kept there; with None nowhere. One recorder a process, as there is one logger."""
    global _recorder  # noqa: PLW0603
    _recorder = recorder or Recorder()


class _Fields(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        fields = _present(_fields.get({}))
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
    """Within the block, every record and every span that begins carries these fields (`message_id`, `function` …)."""
    token = _fields.set(_fields.get({}) | fields)
    try:
        yield
    finally:
        _fields.reset(token)


@contextmanager
def span(name: str, cause: str | None = None, kind: Kind = "INTERNAL", **fields: str) -> Iterator[None]:
    """A span around the block, which carries the fields as its log does; messages that are sent within carry its
    context on. It continues the cause's trace; without a cause what goes on now."""
    with (
        logged_with(**fields),
        _recorder.span(name, continued(cause), kind, _present(_fields.get({}))) as traceparent,
    ):
        token = _traceparent.set(traceparent)
        try:
            yield
        finally:
            _traceparent.reset(token)


@contextmanager
def sending(name: str, cause: str | None, **fields: str) -> Iterator[str | None]:
    """A span around the sending of a message that was caused there, now or long ago; what it carries on."""
    if cause is None:
        yield None
    else:
        with _recorder.sending(name, cause, _present(_fields.get({}) | fields)) as traceparent:
            yield traceparent


def span_failed(reason: str) -> None:
    """What goes on now has failed, though no exception tells of it; the reason names no values."""
    _recorder.failed(reason)


def measured(name: str, value: float, attributes: Mapping[str, str]) -> None:
    """So much was seen of one of `shared.metrics`."""
    _recorder.measured(name, value, attributes)


def is_trace_context(text: str) -> bool:
    """Whether it is a `traceparent` of W3C Trace Context."""
    return _TRACE_CONTEXT.fullmatch(text) is not None


def current_traceparent() -> str | None:
    """The trace context of what goes on now."""
    return _traceparent.get() or _recorder.current()


def continued(cause: str | None) -> str | None:
    """What belongs to the cause's trace has this context for its parent: what goes on now, if that is in the same
    trace, or else the cause itself. A cause that is no trace context is none."""
    now = current_traceparent()
    if not cause or not is_trace_context(cause) or (now and _trace_of(now) == _trace_of(cause)):
        return now
    return cause


def _trace_of(context: str) -> str:
    return context.split("-")[1]


def _present(fields: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in fields.items() if value}


# Clients that tell of every request at INFO would drown what the app says, and cost as much to store.
for _client in ("azure", "stripe"):
    logging.getLogger(_client).setLevel(logging.WARNING)

"""The host's spans, and what a function sees of them."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from local.functions_host.spans import Spans
from local.functions_host.worker import Function

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
REQUEST: dict[str, object] = {"type": "httpTrigger", "methods": ["POST"], "route": "orders/{id}"}
MESSAGE: dict[str, object] = {"type": "serviceBusTrigger", "queueName": "orders"}
TIMER: dict[str, object] = {"type": "timerTrigger", "schedule": "0 * * * * *"}


def seen(trigger: dict[str, object], parent: str, failure: Exception | None = None) -> tuple[str, list[ReadableSpan]]:
    """The context that the function saw, and the spans."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    context = ""
    try:
        with Spans(provider.get_tracer("tests")).around(Function("f", "1", (trigger,)), parent) as context:
            if failure:
                raise failure
    except ValueError:
        pass
    return context, list(exporter.get_finished_spans())


@pytest.mark.parametrize(
    ("trigger", "name", "kind"),
    [
        (REQUEST, "POST orders/{id}", SpanKind.SERVER),
        ({**REQUEST, "methods": ["GET", "PUT"], "route": None}, "GET|PUT f", SpanKind.SERVER),
        (MESSAGE, "ServiceBusProcessor.ProcessMessage", SpanKind.CONSUMER),
    ],
)
def test_a_request_and_a_message_have_one_below_what_they_carry(
    trigger: dict[str, object], name: str, kind: SpanKind
) -> None:
    context, [span] = seen(trigger, PARENT)

    assert (span.name, span.kind) == (name, kind)
    assert span.context
    assert span.parent
    assert f"00-{span.parent.trace_id:032x}-{span.parent.span_id:016x}-01" == PARENT
    assert f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-01" == context


def test_without_a_parent_a_trace_begins() -> None:
    context, [span] = seen(REQUEST, "12 Ockham Park")
    assert span.parent is None
    assert context


def test_a_timers_run_has_none_as_on_azure() -> None:
    assert seen(TIMER, "") == ("", [])


def test_a_failure_is_told_without_its_words() -> None:
    _, [span] = seen(REQUEST, PARENT, ValueError("12 Ockham Park"))

    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, None)
    assert not span.events

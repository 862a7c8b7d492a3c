"""The host's spans, as the real host makes them where `telemetryMode` is OpenTelemetry: one of a request, and one of a
message, whose parent is what the message carries. Of a timer's run it makes none. They go out by OTLP.

Source: azure-functions-host, OpenTelemetryConfigurationExtensions and WorkerFunctionInvoker, of October 2024.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode, Tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from local.functions_host.worker import Function

_W3C = TraceContextTextMapPropagator()


def exported() -> Tracer:
    """Whose spans go where OpenTelemetry's variables say."""
    provider = TracerProvider(resource=Resource.create({"service.name": "host"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider.get_tracer(__name__)


class Spans:
    """Those of one host."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    @contextmanager
    def around(self, function: Function, parent: str) -> Iterator[str]:
        """A span of one invocation; the context that the function sees."""
        match function.trigger:
            case {"type": "httpTrigger"} as trigger:
                methods, kind = "|".join(trigger.get("methods", ["*"])), SpanKind.SERVER
                name = f"{methods} {trigger['route'] or function.name}"
            case {"type": "serviceBusTrigger"}:
                name, kind = "ServiceBusProcessor.ProcessMessage", SpanKind.CONSUMER
            case _:
                yield ""
                return
        above = _W3C.extract({"traceparent": parent}, Context())
        with self._tracer.start_span(name, above, kind, record_exception=False, set_status_on_exception=False) as span:
            carrier: dict[str, str] = {}
            _W3C.inject(carrier, set_span_in_context(span))
            try:
                yield carrier["traceparent"]
            except BaseException:
                span.set_status(StatusCode.ERROR)
                raise

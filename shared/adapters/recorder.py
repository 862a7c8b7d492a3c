"""shared.telemetry.Recorder on OpenTelemetry, which is imported with this module and no sooner.

Where what is recorded goes, the settings say that the worker of Azure Functions reads: with
`PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY` it has set up Azure Monitor before it imports the app. With
`PYTHON_ENABLE_OPENTELEMETRY` it leaves that to the app: then it goes out by OTLP over HTTP, as OpenTelemetry's own
variables say (`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_SERVICE_NAME`, …).
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from azure.core.settings import settings as azure_sdk
from opentelemetry import metrics, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import Meter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanKind, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.errors import Contended
from shared.failures import told
from shared.metrics import METRICS, Metric
from shared.telemetry import Kind, Recorder, record_with

_W3C = TraceContextTextMapPropagator()


def start(*, by_otlp: bool) -> None:
    """Record from now on, for whom the worker has set up or by OTLP."""
    if by_otlp:
        provider = TracerProvider()
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        trace.set_tracer_provider(provider)
        metrics.set_meter_provider(MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())]))
    # Azure's SDKs would make spans of their own below ours, and put theirs in place of a message's `traceparent`.
    azure_sdk.tracing_implementation = None
    record_with(OpenTelemetryRecorder(trace.get_tracer("orderflow"), metrics.get_meter("orderflow")))


class OpenTelemetryRecorder(Recorder):
    """Records with a tracer and a meter. Of a failure a span has what a log may have of it, no text of a library."""

    def __init__(self, tracer: Tracer, meter: Meter) -> None:
        self._tracer = tracer
        self._instruments = {each.name: _instrument(each, meter) for each in METRICS}

    def current(self) -> str | None:
        """The context that the worker has put in place: the span of the host's."""
        return _context_of(trace.get_current_span())

    @contextmanager
    def span(self, name: str, cause: str | None, kind: Kind, fields: Mapping[str, str]) -> Iterator[str | None]:
        """A span around the block."""
        parent = None if cause == self.current() else _parent(cause)
        span = self._tracer.start_span(name, parent, SpanKind[kind], fields)
        with trace.use_span(span, record_exception=False, set_status_on_exception=False), _ended(span):
            yield _context_of(span)

    @contextmanager
    def sending(self, name: str, cause: str, fields: Mapping[str, str]) -> Iterator[str]:
        """A span beside others, linked to the one that goes on, and that to it, unless both are in one trace."""
        now, parent = trace.get_current_span(), _parent(cause)
        trace_id = trace.get_current_span(parent).get_span_context().trace_id
        elsewhere = now.get_span_context().is_valid and now.get_span_context().trace_id != trace_id
        links = [Link(now.get_span_context())] if elsewhere else []
        span = self._tracer.start_span(name, parent, SpanKind.PRODUCER, fields, links)
        if elsewhere:
            now.add_link(span.get_span_context())
        with _ended(span):
            yield _context_of(span) or cause

    def failed(self, reason: str) -> None:
        """The span that the work is in now has failed."""
        trace.get_current_span().set_status(StatusCode.ERROR, reason)

    def measured(self, name: str, value: float, attributes: Mapping[str, str]) -> None:
        """So much was seen of a metric."""
        self._instruments[name](value, attributes)


def _instrument(metric: Metric, meter: Meter) -> Callable[[float, Mapping[str, str]], None]:
    if metric.total:
        return meter.create_counter(metric.name, metric.unit, metric.meaning).add
    return meter.create_histogram(metric.name, metric.unit, metric.meaning).record


@contextmanager
def _ended(span: trace.Span) -> Iterator[None]:
    try:
        yield
    except Contended:
        raise  # an answer like others: who asked looks anew
    except BaseException as failure:
        span.set_status(StatusCode.ERROR, told(failure))
        raise
    finally:
        span.end()


def _parent(context: str | None) -> Context:
    return _W3C.extract({"traceparent": context} if context else {}, Context())


def _context_of(span: trace.Span) -> str | None:
    carrier: dict[str, str] = {}
    _W3C.inject(carrier, trace.set_span_in_context(span))
    return carrier.get("traceparent")

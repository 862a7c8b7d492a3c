"""Takes spans by OTLP over HTTP, in protocol buffers, and keeps them: `python -m local.traces --state DIR --port P`.

Each is a line of JSON in DIR/traces/spans.jsonl, with times in nanoseconds. It holds what a span says of itself, ids of
spans above and beside it, and no more of where it came from than the name of its service. Metrics are passed over.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local.faults import Faults, Stats, control_routes, serve
from local.part import arguments


def spans_of(state: Path) -> Path:
    """The file in which they are kept."""
    return state / "traces" / "spans.jsonl"


def application(file: Path) -> Starlette:
    """Appends to the file what comes."""

    async def take(request: Request) -> Response:
        try:
            sent = ExportTraceServiceRequest.FromString(await request.body())
        except DecodeError as error:
            return Response(f"this takes spans in protocol buffers: {error}", 400)
        with file.open("a") as lines:
            lines.writelines(f"{json.dumps(each)}\n" for each in _told(sent))
        return Response(b"", media_type="application/x-protobuf")

    file.parent.mkdir(exist_ok=True)
    routes = [Route("/v1/traces", take, methods=["POST"]), *control_routes(Faults(), Stats())]
    return Starlette(routes=[*routes, Route("/v1/metrics", lambda _: Response(), methods=["POST"])])


def _told(sent: ExportTraceServiceRequest) -> Iterator[dict[str, Any]]:
    for of_resource in sent.resource_spans:
        service = _values(of_resource.resource.attributes).get("service.name", "")
        for span in (span for scope in of_resource.scope_spans for span in scope.spans):
            yield {
                "trace": span.trace_id.hex(),
                "id": span.span_id.hex(),
                "parent": span.parent_span_id.hex(),
                "service": service,
                "name": span.name,
                "began": span.start_time_unix_nano,
                "ended": span.end_time_unix_nano,
                "failed": span.status.message if span.status.code == Status.STATUS_CODE_ERROR else None,
                "fields": _values(span.attributes),
                "links": [{"trace": link.trace_id.hex(), "id": link.span_id.hex()} for link in span.links],
            }


def _values(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}


if __name__ == "__main__":
    state, port = arguments(__doc__)
    serve(application(spans_of(state)), port)

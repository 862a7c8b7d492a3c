"""Spans as they are kept, and told of."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, StatusCode

from local.traces import application, spans_of
from local.verify.trace import tree


async def posted(state: Path, content: bytes) -> int:
    transport = httpx.ASGITransport(application(spans_of(state)))
    async with httpx.AsyncClient(transport=transport, base_url="http://traces") as client:
        assert (await client.get("/_health")).json() == {"status": "ready"}
        return (await client.post("/v1/traces", content=content)).status_code


async def kept(state: Path) -> str:
    """Send spans that hang together, as an exporter does; the id of their trace."""
    exporter, provider = InMemorySpanExporter(), TracerProvider(resource=Resource({"service.name": "shop"}))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("tests")
    with tracer.start_as_current_span("sweep") as sweep:
        pass
    with tracer.start_as_current_span("POST orders") as root:
        with tracer.start_as_current_span("send", links=[Link(sweep.get_span_context())]) as sending:
            sending.set_status(StatusCode.ERROR, "away")
        with tracer.start_as_current_span("write", attributes={"order_id": "ord_1", "tries": 2}):
            pass
    spans = encode_spans(exporter.get_finished_spans())
    assert await posted(state, spans.SerializeToString()) == 200
    return f"{root.get_span_context().trace_id:032x}"


async def test_a_span_is_kept_with_what_it_says_of_itself(tmp_path: Path) -> None:
    trace = await kept(tmp_path)

    spans: list[dict[str, Any]] = list(map(json.loads, spans_of(tmp_path).read_text().splitlines()))

    sweep, sending, write, root = spans
    assert {(each["trace"], each["service"]) for each in (sending, write, root)} == {(trace, "shop")}
    assert (root["parent"], write["parent"], sending["parent"]) == ("", root["id"], root["id"])
    assert sending["links"] == [{"trace": sweep["trace"], "id": sweep["id"]}]
    assert write["fields"] == {"order_id": "ord_1", "tries": 2}
    assert (sending["failed"], write["failed"]) == ("away", None)
    assert root["began"] <= write["began"] <= write["ended"] <= root["ended"]


async def test_a_trace_is_told_as_a_tree_in_the_order_of_time(tmp_path: Path) -> None:
    trace = await kept(tmp_path)

    head, *lines = tree(tmp_path, f"00-{trace}-0000000000000001-01")

    assert head == f"Trace {trace}:"
    assert [line.partition("ms")[2].partition("ms")[2] for line in lines] == [
        "  POST orders  (shop)",
        "    send  (shop)  FAILED: away",
        "    write  (shop)",
    ]


def test_where_nothing_is_kept_it_says_how_to_keep_it(tmp_path: Path) -> None:
    [line] = tree(tmp_path, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    assert "--traces" in line


@pytest.mark.parametrize("content", [b"\xff", b'{"resourceSpans": []}'])
async def test_what_is_no_span_is_refused(tmp_path: Path, content: bytes) -> None:
    assert await posted(tmp_path, content) == 400
    assert not spans_of(tmp_path).exists()

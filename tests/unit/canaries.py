"""Texts that are planted in whatever callers, stores, providers and settings say, and a look at where they turn up.

A `WatchedWorld` notes everything that it emits, and everything that it stores, by *place*:

- `log`: every record of every logger, with its arguments, fields and traceback; `printed`: what went past the loggers;
- `span`: every span, with its fields and its status;
- `host`: what left a function as an exception, with its causes, as Azure's worker logs it;
- `problem`: bodies of refusals; `header`: headers of all answers;
- `property`: of messages all but the body; `body <type>`: that one;
- `audit`; `parked`: all of a parked document but the message in it; `outbox` likewise; `stored <kind>`: all others;
- `provider`: what the payment provider was asked.

Messages in queues, in outboxes and in parked documents hold what their contract holds: they are data at rest, which
end, or are forgotten with the customer. What stands beside them is looked at.
"""

import json
import logging
import re
import traceback
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from pydantic import BaseModel

from shared.access import Caller
from shared.adapters.memory import MemoryContainer
from shared.adapters.recorder import OpenTelemetryRecorder
from shared.http import Operation
from shared.ports import Create, Document, Patch, Replace, WireMessage
from shared.ports import Operation as Write
from shared.telemetry import record_with
from simulation.world import Answer
from tests.unit.tokens import Issuer
from tests.unit.world import World

CANARY = re.compile(r"canary\d+x")
EXAMPLES: dict[str, Any] = json.loads((Path(__file__).parents[2] / "examples" / "requests.json").read_text())
CLOSED = {"currency", "country", "sku"}
"""Fields that hold nothing of a person: there is no text to plant but one of a list, or a product's name."""


class Canaries:
    """What was planted, by its text: the field that it was planted in."""

    def __init__(self) -> None:
        self.planted: dict[str, str] = {}

    def plant(self, field: str) -> str:
        """A text that is nowhere else, of letters and digits."""
        text = f"canary{len(self.planted)}x"
        self.planted[text] = field
        return text


class _Everything(logging.Handler):
    def __init__(self, told: list[str]) -> None:
        super().__init__(logging.DEBUG)
        self._told = told
        self.setFormatter(logging.Formatter())

    def emit(self, record: logging.LogRecord) -> None:
        self._told += [self.format(record), repr(record.__dict__)]
        if record.exc_info and record.exc_info[1]:
            self._told.append(chain(record.exc_info[1]))


class _Spans(SpanExporter):
    def __init__(self, told: list[str]) -> None:
        self._told = told

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self._told += [each.to_json() for each in spans]
        return SpanExportResult.SUCCESS


class NotingContainer(MemoryContainer):
    """Notes every document that was ever stored, of one that is deleted or replaced, too."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[Document] = []

    async def write(self, pk: str, operations: Sequence[Write]) -> list[str]:
        etags = await super().write(pk, operations)
        for each in operations:
            self.written += [each.document] if isinstance(each, Create | Replace) else []
            self.written += [self.partition(pk)[each.id]] if isinstance(each, Patch) else []
        return etags


def chain(failure: BaseException) -> str:
    """A failure with its causes, and what each of them holds."""
    return "".join(traceback.format_exception(failure)) + repr(failure.args)


class WatchedWorld(World):
    """A world that notes what it emits. Its callers show signed tokens, with canaries in claims that nobody reads."""

    def __init__(self, canaries: Canaries, **options: Any) -> None:
        self.canaries = canaries
        self.emitted: dict[str, list[str]] = defaultdict(list)
        self._issuer = Issuer()
        self._tokens: dict[Caller, str] = {}
        self.delivered: list[tuple[str, WireMessage]] = []
        self.handler = _Everything(self.emitted["log"])
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(_Spans(self.emitted["span"])))
        self.tracer, self.meter = provider.get_tracer("canaries"), MeterProvider().get_meter("canaries")
        super().__init__(authenticator=self._issuer.authenticator, **({"container": NotingContainer} | options))

    async def call(
        self,
        operation: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        caller: Caller | None = None,
        **rest: Any,
    ) -> Answer:
        token = self.token(caller or self.somebody(operation, body))
        given = {"authorization": f"Bearer {token}"} | dict(headers or {})
        answer = await super().call(operation, body, headers=given, caller=caller, **rest)
        self.emitted["header"].append(repr(dict(answer.headers)))
        if answer.status >= 400:
            self.emitted["problem"].append(json.dumps(answer.body))
        return answer

    def token(self, caller: Caller) -> str:
        """The caller's, the same each time."""
        if caller not in self._tokens:
            claims: dict[str, Any] = {
                name: self.canaries.plant(f"token {name}") for name in ("jti", "name", "email", "preferred_username")
            }
            self._tokens[caller] = self._issuer.token(sub=caller.subject, roles=sorted(caller.roles), **claims)
        return self._tokens[caller]

    async def deliver(self, queue: str, wire: WireMessage) -> None:
        self.delivered.append((queue, wire))
        try:
            await super().deliver(queue, wire)
        except Exception as failure:  # noqa: BLE001 - the host's part: it logs, and the broker delivers again
            self.emitted["host"].append(chain(failure))

    async def sweep(self) -> None:
        for name, function in self.functions.items():
            if name.endswith("_sweep"):
                try:
                    await function(None)
                except Exception as failure:  # noqa: BLE001 - likewise
                    self.emitted["host"].append(chain(failure))

    def everything(self, kind: str) -> list[Document]:
        """Every document of a kind, of whichever context."""
        return [document for container in self.containers.values() for document in container.documents(kind)]

    def places(self) -> dict[str, str]:
        """All that was emitted and is stored, by place, in small letters."""
        texts: dict[str, list[str]] = defaultdict(list, {place: list(told) for place, told in self.emitted.items()})
        for _, wire in self.broker.sent:
            type = str((wire.properties or {}).get("cloudEvents_type", "")).split(".")
            texts["property"].append(repr([wire.id, wire.correlation_id, wire.content_type, wire.properties]))
            texts[f"body {type[-2] if len(type) > 2 else 'of a stranger'}"].append(wire.body.decode(errors="replace"))
        for container in self.containers.values():
            assert isinstance(container, NotingContainer)
            for document in container.written:
                place, told = _stored(document)
                texts[place].append(json.dumps(told))
        texts["provider"] = [repr(self.provider.intents)]
        texts["token"] = []
        for token in self._tokens.values():
            # A token is of base64: as it is, it must be nowhere, and no part of it.
            texts["token"] += [place for place, told in texts.items() if any(token[-40:] in text for text in told)]
        return {place: "\n".join(told).lower() for place, told in texts.items()}

    def found(self) -> set[tuple[str, str]]:
        """Which canaries turned up where: the field that one was planted in, and the place."""
        places = self.places()
        return {
            (self.canaries.planted[text], place) for place, told in places.items() for text in set(CANARY.findall(told))
        } | {("token", place) for place in places["token"].split()}


def _stored(document: Document) -> tuple[str, Document]:
    match document["kind"]:
        case "audit":
            return "audit", document
        case "parked":
            return "parked", document | {"message": None}
        case "outbox":
            return "outbox", document | {"message": document["message"] | {"data": None}} if isinstance(
                document.get("message"), dict
            ) else document
        case kind:
            return f"stored {kind}", document


def leaves(value: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path of every value within, objects and lists as well as what they hold."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in members:
        yield (*at, name)
        yield from leaves(member, (*at, name))


def replaced(value: Any, at: tuple[Any, ...], new: Any) -> Any:
    """A copy with another value at a path; Ellipsis takes it out."""
    if not at:
        return new
    copy: Any = list(value) if isinstance(value, list) else dict(value or {})
    if len(at) == 1 and new is ...:
        del copy[at[0]]
    else:
        inner = copy[at[0]] if isinstance(copy, list) else copy.get(at[0])
        copy[at[0]] = replaced(inner, at[1:], new)
    return copy


@contextmanager
def listening(world: WatchedWorld) -> Iterator[None]:
    """Every record of every logger is heard, and every span recorded."""
    root, ours = logging.getLogger(), logging.getLogger("orderflow")
    levels = root.level, ours.level
    root.addHandler(world.handler)
    record_with(OpenTelemetryRecorder(world.tracer, world.meter))
    root.setLevel(logging.DEBUG)
    ours.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        root.removeHandler(world.handler)
        record_with(None)
        root.setLevel(levels[0])
        ours.setLevel(levels[1])


def text_fields(model: type[BaseModel]) -> Iterator[tuple[str | int, ...]]:
    """The path of each text in a body, optional ones as well, one item of each list."""
    schema = model.model_json_schema(by_alias=True)

    def walk(part: dict[str, Any], at: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
        part = schema["$defs"][part["$ref"].rpartition("/")[2]] if "$ref" in part else part
        for each in part.get("anyOf", []):
            yield from walk(each, at)
        if part.get("type") == "string":
            yield at
        for name, inner in part.get("properties", {}).items():
            yield from walk(inner, (*at, name))
        if "items" in part:
            yield from walk(part["items"], (*at, 0))

    return walk(schema, ())


def good(world: WatchedWorld, operation: str) -> Any:
    """A body that is good, with a canary in each text."""
    body = EXAMPLES["bodies"][operation]
    for path in text_fields(world.functions[operation].operation.request):
        if path[-1] not in CLOSED:
            canary = world.canaries.plant(" ".join(map(str, path)))
            texts = {"email": f"{canary}@example.com", "paymentMethod": f"pm_{canary}"}
            body = replaced(body, path, texts.get(str(path[-1]), canary))
    return body


def declared(world: WatchedWorld) -> list[Operation]:
    """The declaration of every HTTP function that tells of data; files of the package tell none."""
    operations = [each.operation for each in world.functions.values() if hasattr(each, "operation")]
    return [each for each in operations if each.response]


def at(value: Any, path: tuple[str | int, ...]) -> Any:
    """What stands at a path."""
    return at(value[path[0]], path[1:]) if path else value

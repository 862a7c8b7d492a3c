"""Renders asyncapi.json, the description of the messages, from the contracts and the topology: `scripts/asyncapi`.

Messages have schemas (scripts/message_schemas.py) and examples that were sent (tests/unit/message_examples.py).
"""

import asyncio
import json
import logging
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from scripts import events_page, message_schemas
from scripts.message_flow import ROOT, TOPOLOGY, Travelling, messages
from scripts.message_schemas import Schema, schema_of
from shared.messaging import owner
from shared.ports import WireMessage
from shared.telemetry import log
from tests.unit.message_examples import examples

DOCUMENT = ROOT / "asyncapi.json"

_ABOUT = """\
What the bounded contexts say to one another, over Azure Service Bus: *commands* go to the queue of whoever owns them,
*events* to their publisher's topic, whose subscriptions forward them into the queues of those who want them.

- Each message is a CloudEvent 1.0 in binary mode over AMQP: its attributes are application properties, its data the
  body. `message-id` is one sending, `cloudEvents_id` the fact; `correlation-id` is the subject.
- Any may come twice, late, or overtaken: whoever takes one does nothing the second time.
- A reader passes over fields that it doesn't know. Within a version fields are only ever added, and may be left out.
- Amounts are integers in minor units. Times are RFC 3339 in UTC."""

_TEXT: Schema = {"type": "string", "minLength": 1, "maxLength": 200}
_TIME: Schema = {"type": "string", "format": "date-time"}
_CLOUD_EVENT: Schema = {
    "type": "object",
    "description": "The attributes of a CloudEvent, as application properties of AMQP.",
    "required": [f"cloudEvents_{each}" for each in ("specversion", "id", "type", "source", "time", "subject")],
    "properties": {
        "cloudEvents_specversion": {"type": "string", "const": "1.0"},
        "cloudEvents_id": _TEXT | {"description": "The fact, or the command: the same however often it is sent."},
        "cloudEvents_type": _TEXT | {"description": "Which message it is, in which version."},
        "cloudEvents_source": _TEXT | {"description": "Whose contract it is: a context."},
        "cloudEvents_time": _TIME | {"description": "When it came about."},
        "cloudEvents_subject": _TEXT | {"description": "The aggregate: an order, or of catalog's a product."},
        "cloudEvents_dataschema": _TEXT | {"description": "The `$id` of its schema."},
        "traceparent": _TEXT | {"description": "The trace of what caused it (W3C Trace Context), if there is one."},
        "orderflow_retryUntil": _TIME | {"description": "Of a command: when its sender sends it again by itself."},
    },
}


def document(version: str, sent: Mapping[str, WireMessage]) -> dict[str, Any]:
    """The description, in AsyncAPI 3.0, with these examples by type."""
    travelling = messages()
    return {
        "asyncapi": "3.0.0",
        "id": "urn:orderflow",
        "info": {"title": "Orderflow", "version": version, "description": _ABOUT, "license": {"name": "MIT"}},
        "defaultContentType": "application/json",
        "servers": {
            "serviceBus": {
                "host": "{namespace}.servicebus.windows.net",
                "protocol": "amqps",
                "protocolVersion": "1.0",
                "description": "Azure Service Bus. Each context's app signs in with its own identity, which may send "
                "and receive what the topology grants it.",
                "variables": {"namespace": {"description": "An environment's."}},
            }
        },
        "channels": {name: _channel(name, of) for name, of in _by_channel(travelling).items()},
        "operations": {name: each for context in TOPOLOGY["contexts"] for name, each in _operations(context)},
        "components": {
            "messages": {each.type_name: _message(each, sent[each.type_name]) for each in travelling},
            "schemas": {"CloudEvent": _CLOUD_EVENT},
        },
    }


def _by_channel(travelling: Iterable[Travelling]) -> dict[str, list[Travelling]]:
    found: dict[str, list[Travelling]] = {}
    for each in travelling:
        found.setdefault(each.channel, []).append(each)
    return found


def _channel(name: str, travelling: Sequence[Travelling]) -> dict[str, Any]:
    kind = "queue: commands to" if travelling[0].is_command else "topic: events of"
    return {
        "address": name,
        "description": f"A {kind} {owner(travelling[0].contract)}.",
        "messages": {each.type_name: {"$ref": f"#/components/messages/{each.type_name}"} for each in travelling},
    }


def _operations(context: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """What a context sends, by channel, and what it takes, by channel and the queue that it finds it in."""
    for channel, travelling in _by_channel(messages()).items():
        sent = [each for each in travelling if context in each.senders]
        if sent:
            summary = f"{context} sends commands" if sent[0].is_command else f"{context} says what has happened"
            yield f"{context}.sends.{channel}", _operation("send", context, summary, sent)
        queues = sorted({way.queue for each in travelling for way in each.takers if way.context == context})
        for queue in queues:
            taken = [each for each in travelling if queue in {way.queue for way in each.takers}]
            through = "" if queue == channel else f".{queue}"
            summary = f"{context} takes it from its queue {queue}"
            yield f"{context}.takes.{channel}{through}", _operation("receive", context, summary, taken)


def _operation(action: str, context: str, summary: str, travelling: Sequence[Travelling]) -> dict[str, Any]:
    channel = f"#/channels/{travelling[0].channel}"
    return {
        "action": action,
        "channel": {"$ref": channel},
        "summary": summary,
        "tags": [{"name": context}],
        "messages": [{"$ref": f"{channel}/messages/{each.type_name}"} for each in travelling],
    }


def _message(of: Travelling, example: WireMessage) -> dict[str, Any]:
    schema = schema_of(of.contract)
    always: dict[str, Schema] = {
        "cloudEvents_type": {"const": of.type_name},
        "cloudEvents_source": {"const": f"/{owner(of.contract)}"},
        "cloudEvents_dataschema": {"const": f"urn:{of.type_name.replace('.', ':')}"},
    }
    return {
        "name": of.type_name,
        "title": f"{of.name}, version {of.version}" if of.version > 1 else of.name,
        "summary": schema["description"],
        "tags": [{"name": "command" if of.is_command else "event"}],
        "correlationId": {"location": "$message.header#/cloudEvents_subject"},
        "headers": {
            "type": "object",
            "allOf": [{"$ref": "#/components/schemas/CloudEvent"}],
            "properties": always,
        },
        "payload": schema,
        "examples": [{"headers": dict(example.properties or {}), "payload": json.loads(example.body)}],
    }


def rendered(sent: Mapping[str, WireMessage]) -> str:
    """The document as it should be, with these examples."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    return json.dumps(document(version, sent), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    log.setLevel(logging.CRITICAL)  # of what the examples' ways end in
    message_schemas.write()
    DOCUMENT.write_text(rendered(asyncio.run(examples())))
    events_page.PAGE.write_text(events_page.page())

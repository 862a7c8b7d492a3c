"""Renders docs/events.md, the messages for people: who publishes, who reacts, what each says."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from scripts.message_flow import ROOT, TOPOLOGY, Travelling, messages
from scripts.message_schemas import Schema, schema_of
from shared.messaging import owner

PAGE = ROOT / "docs" / "events.md"

INTRODUCTION = """\
# Messages

Rendered by `scripts/asyncapi` from the contracts ([shared/contracts](../shared/contracts)) and the topology
([infra/topology.json](../infra/topology.json)); a test holds it to them. For machines there are
[asyncapi.json](../asyncapi.json) (AsyncAPI 3.0), with an example of each message as it was sent, and a JSON Schema of
each version ([shared/contracts/schemas](../shared/contracts/schemas)).

*Commands* (imperative; solid below) go to the queue of whoever owns them, *events* (past tense; dashed) to their
publisher's topic, whose subscriptions forward them into the queues of those who react. What a message leads to is in
[order-process.md](order-process.md), how one is handled in [how-it-works.md](how-it-works.md#one-step-exactly), and how
one changes [there, too](how-it-works.md#adding-a-field-to-a-contract).
"""

SHAPE = """\
## What one looks like

A CloudEvent 1.0 in binary mode over AMQP: the attributes are application properties, the data is the body, in JSON.

| Property | Is |
|---|---|
| `message-id` | one sending; the broker drops one that it has seen within ten minutes |
| `correlation-id` | the subject |
| `cloudEvents_id` | the fact, or the command: the same however often, and in whichever version, it is sent |
| `cloudEvents_type` | `orderflow.<context>.<Name>.v<version>` |
| `cloudEvents_source` | whose contract it is |
| `cloudEvents_subject` | the aggregate: an order, or of catalog's a product |
| `cloudEvents_time` | when it came about |
| `cloudEvents_dataschema` | the `$id` of its schema |
| `traceparent` | the trace of what caused it, where that had one |
| `orderflow_retryUntil` | of a command: when its sender sends it again by itself |

A dispatcher that doesn't know a type of ours tries it again *later*, for at least ten minutes: the release that knows
it may be on its way. A field with a question mark may be left out.
"""


def page() -> str:
    """The whole page."""
    travelling = messages()
    return "\n".join([INTRODUCTION, *_who(travelling), "", SHAPE, *_tables(travelling)])


def _who(travelling: Sequence[Travelling]) -> Iterator[str]:
    yield "## Who publishes, who reacts"
    yield ""
    yield "```mermaid"
    yield "flowchart LR"
    yield from (f"    {context}" for context in TOPOLOGY["contexts"])
    events = {each.name for each in travelling if not each.is_command}
    for taker in TOPOLOGY["contexts"]:
        taken = [each for each in travelling if taker in {way.context for way in each.takers}]
        takes_all = events <= {each.name for each in taken}
        for sender in TOPOLOGY["contexts"]:
            commands = [each.name for each in taken if sender in each.senders and each.is_command]
            heard = [each.name for each in taken if sender in each.senders and not each.is_command]
            if commands:
                yield f'    {sender} -- "{_lines(commands)}" --> {taker}'
            if heard:
                yield f'    {sender} -. "{"every event" if takes_all else _lines(heard)}" .-> {taker}'
    yield "```"
    if unheard := list(dict.fromkeys(each.name for each in travelling if not each.takers)):
        yield ""
        yield f"Nobody reacts, so far, to {_listed(unheard)}."


def _lines(names: Iterable[str]) -> str:
    """Each once, whatever versions there are of it."""
    return "<br/>".join(dict.fromkeys(names))


def _tables(travelling: Iterable[Travelling]) -> Iterator[str]:
    for context, of in groupby(travelling, key=lambda each: owner(each.contract)):
        yield f"## {context.capitalize()}"
        yield ""
        yield "| Message | Says | Fields | Taken by |"
        yield "|---|---|---|---|"
        yield from map(_row, of)
        yield ""


def _row(of: Travelling) -> str:
    schema = schema_of(of.contract)
    takers = ", ".join(dict.fromkeys(way.context for way in of.takers)) or "–"
    name = f"{of.name}<br/>{'command' if of.is_command else 'event'}"
    version = f"[v{of.version}](../shared/contracts/schemas/{of.type_name}.json)"
    return f"| {name}, {version} | {schema['description']} | {_fields(schema)} | {takers} |"


def _fields(schema: Schema) -> str:
    return ", ".join(f"`{name}`" if name in schema["required"] else f"`{name}`?" for name in schema["properties"])


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))

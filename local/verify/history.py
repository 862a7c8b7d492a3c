"""What one order has been through, told from the documents of every context."""

import json
from collections.abc import Iterator

from local.verify.invariants import FINAL, Document, waits_for
from local.verify.reading import Reader
from local.verify.trace import tree


async def tell(stack: Reader, order_id: str) -> list[str]:
    """Everything about the order, in lines of text; none where there is no such order."""
    documents = {context: await stack.query(context, partition=order_id) for context in stack.contexts}
    order = next((each for each in documents["orders"] if each["kind"] == "order"), None)
    if order is None:
        return []
    documents["inventory"] += await stack.query("inventory", "c.id = @id", id=f"res:{order_id}")
    for context in stack.contexts:
        documents[context] += [
            each
            for each in await stack.query(context, "c.kind = 'parked'")
            if each["message"]["correlationId"] == order_id
        ]
    intents = [each for each in await stack.intents() if each["metadata"].get("order_id") == order_id]
    messages = await stack.messages(order_id)
    traced = tree(stack.state, order["traceparent"]) if order.get("traceparent") else ()
    return [*_tell(order, documents, intents, messages), *traced]


def _tell(
    order: Document, documents: dict[str, list[Document]], intents: list[Document], messages: list[Document]
) -> Iterator[str]:
    reason = f" ({order['reason']})" if order["reason"] else ""
    yield f"Order {order['id']}: {order['step']}{reason}"
    if code := order.get("declineCode"):
        yield f"Declined: {code}."
    for line in order.get("shortages", ()):
        yield f"Short: {line['sku']}, {line['wanted']} wanted, {line['available']} available."
    if order["step"] in FINAL:
        yield f"Settled at {order['settledAt']}; waits for nothing."
    else:
        give_up = f", given up at {order['giveUpAt']}" if order["giveUpAt"] else ""
        yield f"Waits for {waits_for(order)}; sent again at {order['chaseAt']}{give_up}."
    yield "History:"
    for entry in order["history"]:
        more = {name: value for name, value in entry.items() if name not in ("at", "step", "because")}
        yield f"  {entry['at']}  {entry['step']:<20} {entry['because']}" + (f"  {_plain(more)}" if more else "")
    yield "Documents:"
    for context, found in documents.items():
        for document in found:
            yield f"  {context:<10} {_plain(document)}"
    yield "At the payment provider:" if intents else "At the payment provider: nothing"
    for intent in intents:
        yield f"  {_plain(intent)}"
    yield "At the broker:" if messages else "At the broker: nothing"
    for message in messages:
        yield f"  {_plain(message)}"


def _plain(document: Document) -> str:
    """One line of JSON, without what only the store itself needs, and without what was told before."""
    told = {name: value for name, value in document.items() if not name.startswith("_") and name != "history"}
    return json.dumps(told, ensure_ascii=False)

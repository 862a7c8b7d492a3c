"""What is decided is so, none is rejected for what was there, and none waits for one that waits for it."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import timedelta
from graphlib import CycleError, TopologicalSorter

from shared.ports import Document, WireMessage
from simulation.witness.notes import DELIVERY, Delivery, Notes, data_of
from simulation.witness.orders import Orders

_LINES_ARE = {"reserved": "active", "rejected": "released", "released": "released", "committed": "committed"}
"""What every line's reservation is when a decision comes to one of these states."""

_NONE = {"quantity": 0, "state": "set aside"}


class Stock:
    """Stock items, reservations and decisions; and which orders are short of what."""

    def __init__(self, notes: Notes, orders: Orders) -> None:
        self._notes = notes
        self._orders = orders
        self._wanted: dict[str, dict[str, int]] = defaultdict(dict)
        """Every order's quantity, by SKU."""
        self._short, self._hopeless = _Spans(), _Spans()
        self.waited: set[str] = set()
        """The orders whose command waited for units that others held."""
        self.longest_wait = timedelta(0)
        """How long one had waited when it was to wait once more."""

    def wanted(self, order: Document) -> None:
        """An order was placed."""
        for line in order["lines"]:
            self._wanted[line["sku"]][order["id"]] = line["quantity"]
            self.changed(line["sku"])

    def decided(self, now: Document) -> None:
        """A decision was made, or carried out."""
        order_id, delivery = now["orderId"], DELIVERY.get()
        if state := _LINES_ARE.get(now["state"]):
            for line in now["lines"]:
                reservation = self._partition(line["sku"]).get(f"res:{order_id}") or _NONE
                if (reservation["state"], reservation["quantity"]) != (state, line["quantity"]):
                    found = f"{reservation['quantity']} × {line['sku']} {reservation['state']}"
                    self._notes.wrong.append(f"{order_id}: decided {now['state']}, with {found}")
        if now["state"] == "rejecting" and delivery:
            if not self._short.ever(order_id, delivery.began):
                self._notes.wrong.append(f"{order_id} was rejected for stock that was there")
            elif not self._hopeless.ever(order_id, delivery.began) and not self._has_waited(delivery):
                self._notes.wrong.append(f"{order_id} was rejected without waiting for what others had set aside")

    def reserved(self, now: Document) -> None:
        """A reservation was made, or ended."""
        order_id, delivery = now["orderId"], DELIVERY.get()
        if now["state"] == "committed" and not self._notes.is_dispatched(order_id):
            self._notes.wrong.append(f"{order_id}: {now['sku']} was used up before it was dispatched")
        if now["state"] == "active" and delivery:
            self._orders.act_for(order_id, "reserving_stock", f"{now['sku']} was taken")
            if self._is_hopeless(order_id, delivery):
                self._notes.wrong.append(f"{order_id} took {now['sku']} though another of its lines can't be had")

    def changed(self, sku: str) -> None:
        """Something of this product changed, or who wants it."""
        partition, write = self._partition(sku), self._notes.writes
        item = partition.get("stock", {"onHand": 0, "available": 0})
        on_hand, available = item["onHand"], item["available"]
        held = sum(each["quantity"] for each in partition.values() if each.get("state") == "active")
        if available < 0 or on_hand - available != held:
            self._notes.wrong.append(f"{sku}: {on_hand} on hand, {available} available, and {held} set aside")
        for order_id, quantity in self._wanted[sku].items():
            holds = _holds(partition, order_id)
            self._short.note(order_id, sku, write, is_so=not holds and available < quantity)
            self._hopeless.note(order_id, sku, write, is_so=not holds and on_hand < quantity)
        self._look_for_circles()

    def waits_for_stock(self, delivery: Delivery, message: WireMessage) -> bool:
        """Whether the handler postponed its command for units of a short line that other orders hold."""
        order_id = message.correlation_id
        if data_of(message).get("shortSince") is None or not self._short.ever(order_id, delivery.began):
            return False
        if delivery.short_since is None and self._is_hopeless(order_id, delivery):
            self._notes.wrong.append(f"{order_id} waits for what can't be had")
        self.waited.add(order_id)
        self.longest_wait = max(self.longest_wait, delivery.at - (delivery.short_since or delivery.at))
        return True

    def _look_for_circles(self) -> None:
        waits_for: dict[str, set[str]] = defaultdict(set)
        undecided = {order_id for order_id, _ in self._short.now() if self._is_undecided(order_id)}
        for order_id, sku in self._short.now():
            if order_id in undecided:
                partition = self._partition(sku)
                waits_for[order_id] |= {other for other in undecided if _holds(partition, other)}
        try:
            TopologicalSorter(waits_for).prepare()
        except CycleError as circle:
            self._notes.wrong.append(f"orders wait for one another: {circle.args[1]}")

    def _has_waited(self, delivery: Delivery) -> bool:
        since, timeout = delivery.short_since, self._notes.world.inventory.stock_timeout
        return since is not None and self._notes.now("inventory") - since >= timeout

    def _is_hopeless(self, order_id: str, delivery: Delivery) -> bool:
        return self._is_undecided(order_id) and self._hopeless.throughout(order_id, delivery.began)

    def _is_undecided(self, order_id: str) -> bool:
        return "decision" not in self._notes.partition("inventory", order_id)

    def _partition(self, sku: str) -> Mapping[str, Document]:
        return self._notes.partition("inventory", f"sku:{sku}")


class _Spans:
    """Since when something is so of some orders, and until when it was; in numbers of writes."""

    def __init__(self) -> None:
        self._since: dict[tuple[str, str], int] = {}
        self._until: dict[str, int] = {}

    def note(self, order_id: str, sku: str, write: int, *, is_so: bool) -> None:
        """So it is by now of this line."""
        if is_so:
            self._since.setdefault((order_id, sku), write)
        elif self._since.pop((order_id, sku), None) is not None:
            self._until[order_id] = write

    def ever(self, order_id: str, since: int) -> bool:
        """Whether it was so of any line at any time since."""
        return self._until.get(order_id, -1) >= since or any(order == order_id for order, _ in self._since)

    def throughout(self, order_id: str, since: int) -> bool:
        """Whether it has been so of one line all the time since."""
        return any(order == order_id and began < since for (order, _), began in self._since.items())

    def now(self) -> Iterator[tuple[str, str]]:
        """The orders and SKUs of which it is so."""
        return iter(self._since)


def _holds(partition: Mapping[str, Document], order_id: str) -> bool:
    reservation = partition.get(f"res:{order_id}")
    return reservation is not None and reservation["state"] == "active"

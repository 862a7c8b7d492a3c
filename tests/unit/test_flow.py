"""The sums: each event counts once, whatever comes late, twice or at once, and a replay gives the same."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from services.operations import folding
from services.operations.domain import Recorded
from services.operations.projections import FACTS, PERIODS, Head, Period, Rebuild, added_by, moved, percentile
from services.operations.repositories import Sums
from shared.adapters.memory import MemoryContainer
from shared.contracts import Event
from shared.contracts.orders import OrderCompleted, OrderConfirmed, OrderPlaced, OrderRejected, OrderShipped
from shared.contracts.shipping import ShipmentCorrected
from shared.errors import Contended
from shared.messaging import first, to_wire
from shared.ports import Create, Document, Operation, Replace
from simulation.world import Answer
from tests.unit.world import World

PLACED = OrderPlaced("ord_1", (), 250, "GBP")


@pytest.fixture
async def world() -> World:
    world = World()
    await world.stocked(MUG=5)
    return world


async def told(world: World, *events: Event, at: datetime | None = None, number: int = 0) -> None:
    """Operations hears of these events of their orders."""
    for event in events:
        order_id: str = event.order_id  # type: ignore[attr-defined]
        message = first(event, order_id, at or world.system.now(), number)
        await world.deliver("operations", to_wire(message))


async def counted(world: World, runs: int = 3) -> None:
    """The timer has run so often that all is counted."""
    for _ in range(runs):
        await world.system.sleep(10)
        await world.functions["operations_sweep"](None)


async def flow(world: World) -> dict[str, Any]:
    answer = await world.call("get_flow")
    assert answer.status == 200
    body: dict[str, Any] = answer.body
    return body


async def rebuilt(world: World) -> Answer:
    """The sums are built anew, to the end."""
    answer = await world.call("rebuild_sums")
    assert answer.status == 202
    await counted(world)
    return await world.call("get_rebuild")


def sums(world: World) -> dict[str, Counter[str]]:
    """What is counted in each period by the model that is shown."""
    [head] = world.documents("operations", "head")
    live = head["live"]
    found = {f"open:{day}": Counter(states) for day, states in live["open"].items()}
    for id, (model, counts) in stored(world).items():
        if model == live["id"] and counts:
            found[id.partition(":")[2]] = counts
    return found


def stored(world: World) -> dict[str, tuple[str, Counter[str]]]:
    """Each sum's model and counts by its id, with what the head holds of it."""
    documents = world.documents("operations", "sum")
    found = {each["id"]: (str(each["model"]), Counter[str](each["counts"])) for each in documents}
    for each in world.documents("operations", "head")[0]["held"]:
        place = each["place"]
        model, counts = found.get(place["id"], ("", Counter[str]()))
        of = counts if model == place["model"] else Counter[str]()
        found[place["id"]] = (place["model"], of + Counter(each["counts"]))
    return found


async def test_a_completed_order_counts_in_every_window_with_the_time_that_each_step_took(world: World) -> None:
    order_id = await world.placed(("MUG", 1))
    await world.drain()
    await counted(world)
    assert (await flow(world))["underWay"] == {"dispatch": 1}
    await world.system.sleep(1800)
    await world.dispatched(order_id)
    await world.drain()
    await counted(world)

    found = await flow(world)

    assert found["underWay"] == {}
    for window, periods in (("hour", 13), ("day", 25), ("week", 8)):
        shown = found[window]
        assert shown["events"]["OrderCompleted"] == shown["events"]["OrderPlaced"] == 1
        assert shown["captured"] == {"GBP": 250}
        assert shown["steps"]["dispatch"]["p95"] == pytest.approx(1830, rel=0.1)
        assert set(shown["steps"]) == {"stock", "payment", "dispatch", "settle", "whole"}
        assert len(shown["periods"]) == periods
        assert sum(each["events"].get("OrderCompleted", 0) for each in shown["periods"]) == 1


async def test_an_order_that_was_rejected_counts_by_its_reason_and_is_not_under_way(world: World) -> None:
    await world.placed(("MUG", 9))
    await world.drain()
    await counted(world)

    found = await flow(world)

    assert (found["hour"]["rejected"], found["underWay"]) == ({"out_of_stock": 1}, {})


async def test_before_the_first_event_there_is_nothing() -> None:
    found = await flow(World())

    assert (found["underWay"], found["week"]["events"], len(found["day"]["periods"])) == ({}, {}, 25)


async def test_most_writes_leave_the_sums_alone_and_the_flow_has_all_the_same() -> None:
    world = World(container=Writes)
    for number in range(1, 21):
        await told(world, OrderPlaced(f"ord_{number}", (), 250, "GBP"))
        await counted(world, runs=2)
        assert (await flow(world))["hour"]["events"] == {"OrderPlaced": number}

    container = world.containers["operations"]
    assert isinstance(container, Writes)
    assert container.of_sums["head"] >= 20
    assert 2 <= container.of_sums["a:hour:2026-11-24T06:00"] <= container.of_sums["head"] / 9


async def test_what_is_stored_this_moment_is_counted_when_it_has_settled(world: World) -> None:
    await told(world, PLACED)
    await counted(world, runs=1)
    await told(world, OrderRejected("ord_1", "timeout"))
    await world.functions["operations_sweep"](None)
    assert "OrderRejected" not in (await flow(world))["hour"]["events"]

    await counted(world, runs=2)

    assert (await flow(world))["hour"]["rejected"] == {"timeout": 1}


async def test_timers_that_run_at_once_count_each_event_once(world: World) -> None:
    await told(world, PLACED, OrderConfirmed("ord_1"))
    await counted(world, runs=1)
    await world.system.sleep(10)

    sweep = world.functions["operations_sweep"]
    await asyncio.gather(*(sweep(None) for _ in range(5)))
    await counted(world)

    assert (await flow(world))["week"]["events"]["OrderConfirmed"] == 1


class Writes(MemoryContainer):
    """Counts how often each document of the sums is written."""

    def __init__(self) -> None:
        super().__init__()
        self.of_sums: Counter[str] = Counter()

    async def write(self, pk: str, operations: Sequence[Operation]) -> list[str]:
        if pk == "sums":
            self.of_sums.update(each.document["id"] for each in operations if isinstance(each, Create | Replace))
        return await super().write(pk, operations)


class Unclear(MemoryContainer):
    """Says of every other write of sums that another was under way, though it was written."""

    def __init__(self) -> None:
        super().__init__()
        self.unclear = False
        self.most = 0

    async def write(self, pk: str, operations: Sequence[Operation]) -> list[str]:
        etags = await super().write(pk, operations)
        if pk == "sums":
            self.most = max(self.most, len(operations))
            self.unclear = not self.unclear
            if self.unclear:
                raise Contended("449, though it was written")
        return etags


async def test_a_write_whose_answer_is_unclear_counts_once() -> None:
    world = World(container=Unclear)
    await told(world, PLACED, OrderConfirmed("ord_1"), OrderShipped("ord_1"))
    await counted(world, runs=8)

    events = (await flow(world))["week"]["events"]

    assert events == {"OrderPlaced": 1, "OrderConfirmed": 1, "OrderShipped": 1}


async def test_an_event_that_comes_an_hour_late_counts_when_it_happened(world: World) -> None:
    began = world.system.now()
    await told(world, OrderCompleted("ord_1"), at=began + timedelta(minutes=40))
    await counted(world)
    assert (await flow(world))["hour"]["steps"] == {}
    world.system.advance_to(began + timedelta(minutes=100))
    await told(world, PLACED, at=began)
    await counted(world)

    found = await flow(world)

    assert found["day"]["steps"]["whole"]["p50"] == pytest.approx(2400, rel=0.1)
    [started, ended] = [
        each for each in found["day"]["periods"] if set(each["events"]) & {"OrderPlaced"} or each["steps"]
    ] * 2
    assert started["since"] == ended["since"] == "2026-11-24T06:00:00.000000Z"
    assert found["underWay"] == {}


async def test_a_step_that_ended_before_it_began_by_clocks_that_are_apart_took_no_time(world: World) -> None:
    now = world.system.now()
    await told(world, OrderPlaced("ord_1", (), 250, "GBP"), at=now + timedelta(minutes=5))
    await told(world, OrderCompleted("ord_1"), at=now)
    await counted(world)

    assert (await flow(world))["hour"]["steps"]["whole"]["p99"] == 0.001


async def test_an_order_with_no_end_of_events_is_counted_and_makes_no_document_grow() -> None:
    world = World()
    await told(world, PLACED)
    for number in range(1, 451):
        await told(world, ShipmentCorrected("ord_1", "shp_ord_1", "DHL", "42", number), number=number)
    await counted(world)

    assert (await flow(world))["week"]["events"] == {"OrderPlaced": 1, "ShipmentCorrected": 450}
    assert max(len(str(each)) for each in world.documents("operations", "head")) < 1024


async def test_events_of_many_days_are_counted_in_writes_that_the_store_takes() -> None:
    world = World(container=Unclear)
    began = world.system.now()
    for number in range(300):
        at = began - timedelta(hours=number * 7)
        await told(world, OrderPlaced(f"ord_{number}", (), 250, "GBP"), at=at)
    await counted(world, runs=40)

    assert sum(each["event.OrderPlaced"] for name, each in sums(world).items() if name.startswith("day:")) == 300
    container = world.containers["operations"]
    assert isinstance(container, Unclear)
    assert 50 < container.most <= 100


async def test_an_event_that_cannot_be_read_is_left_out_and_holds_up_no_other(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    await told(world, PLACED, OrderConfirmed("ord_1"))
    [placed] = [each for each in world.documents("operations", "event") if each["name"] == "OrderPlaced"]
    await world.containers["operations"].write("ord_1", [Replace(placed | {"at": "then"}, placed["_etag"])])

    await counted(world)

    assert (await flow(world))["week"]["events"].keys() == {"OrderConfirmed", "ProductListed"}
    assert f"unreadable_document: event {placed['id']} is left out: /at should be a time" in caplog.text


async def test_a_rebuild_gives_the_same_and_takes_its_place_at_once(world: World) -> None:
    for number in range(2):
        order_id = await world.placed(("MUG", number + 1))
        await world.drain()
        await world.system.sleep(400)
        await counted(world)
    await world.dispatched(order_id)
    await world.placed(("MUG", 9))
    await world.drain()
    await counted(world)
    before, live = sums(world), (await flow(world))["week"]

    answer = await rebuilt(world)

    assert (answer.status, "finishedAt" in answer.body) == (200, True)
    assert sums(world) == before
    assert (await flow(world))["week"] == live
    assert world.documents("operations", "head")[0]["live"]["id"] == answer.body["rebuildId"]


async def test_a_rebuild_mends_what_was_counted_wrongly(world: World) -> None:
    await told(world, PLACED)
    await counted(world)
    await rebuilt(world)
    before = sums(world)
    for document in world.documents("operations", "sum"):
        wrong = document | {"counts": {"event.OrderPlaced": 7}}
        await world.containers["operations"].write("sums", [Replace(wrong, document["_etag"])])
    assert (await flow(world))["hour"]["events"] == {"OrderPlaced": 7}

    await rebuilt(world)

    assert sums(world) == before


async def test_who_asks_for_a_rebuild_while_one_runs_joins_it(world: World) -> None:
    await told(world, PLACED)
    await counted(world)
    assert (await world.call("get_rebuild")).status == 404

    asked = [await world.call("rebuild_sums") for _ in range(2)]

    assert len({each.body["rebuildId"] for each in asked}) == 1
    assert not any("finishedAt" in each.body for each in asked)
    [entry] = world.documents("operations", "audit")
    assert (entry["operation"], entry["target"]["id"]) == ("rebuild_sums", asked[0].body["rebuildId"])
    await counted(world)
    again = await world.call("rebuild_sums")
    assert again.body["rebuildId"] != asked[0].body["rebuildId"]


async def test_days_that_cannot_be_replayed_stay_as_they_were(world: World) -> None:
    began = world.system.now()
    await told(world, PLACED)
    await counted(world)
    for days in (60, 100, 100, 140):
        world.system.advance_to(began + timedelta(days=days))
        await told(world, OrderPlaced(f"ord_{days}", (), 250, "GBP"))
        await counted(world)
        kept = {name: counts for name, counts in every_day(world).items() if name.startswith("day:")}

        body = (await rebuilt(world)).body

        assert every_day(world) == kept
        assert body["since"] == (began + timedelta(days=days - 89)).date().isoformat()


async def test_while_a_rebuild_runs_what_is_shown_stays(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folding, "PAGE", 1)
    for number in range(3):
        await told(world, OrderPlaced(f"ord_{number}", (), 250, "GBP"))
    await counted(world)
    shown, seen = (await flow(world))["day"], []
    save = Sums.save

    async def looked_at(sums: Sums, *what: Any, **more: Any) -> Head:
        head = await save(sums, *what, **more)
        seen.append((head.building is not None, (await flow(world))["day"] == shown))
        return head

    monkeypatch.setattr(Sums, "save", looked_at)
    await rebuilt(world)
    await rebuilt(world)

    assert {is_same for _, is_same in seen} == {True}
    assert sum(is_building for is_building, _ in seen) >= 6


async def test_rebuilds_of_one_day_leave_the_head_as_long_as_it_was(world: World) -> None:
    await told(world, PLACED)
    for _ in range(3):
        await rebuilt(world)

    [head] = world.documents("operations", "head")
    assert len(head["eras"]) == 2


async def test_a_run_whose_time_is_over_leaves_the_rest_to_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folding, "PAGE", 1)
    for number in range(3):
        await told(world, OrderPlaced(f"ord_{number}", (), 250, "GBP"))
    await counted(world, runs=1)
    save = Sums.save

    async def takes_long(sums: Sums, *what: Any, **more: Any) -> Head:
        await world.system.sleep(41)
        return await save(sums, *what, **more)

    with monkeypatch.context() as patched:
        patched.setattr(Sums, "save", takes_long)
        await counted(world, runs=1)
    some = (await flow(world))["day"]["events"].get("OrderPlaced", 0)
    await counted(world)

    assert some < 3
    assert (await flow(world))["day"]["events"]["OrderPlaced"] == 3


async def test_an_order_that_was_placed_longer_ago_than_is_kept_is_under_way_no_more(world: World) -> None:
    await told(world, PLACED)
    await counted(world)
    assert (await flow(world))["underWay"] == {"stock": 1}

    await world.system.sleep(timedelta(days=92).total_seconds())
    await told(world, OrderPlaced("ord_2", (), 250, "GBP"))
    await counted(world)
    await counted(world)

    assert (await flow(world))["underWay"] == {"stock": 1}
    [head] = world.documents("operations", "head")
    assert len(head["live"]["open"]) == 1


def test_no_more_can_be_replayed_than_the_least_that_was_ever_kept() -> None:
    now = datetime(2026, 11, 24, 8, tzinfo=UTC)
    page = [Recorded("1", "ord_1", "ord_1", "orders", "OrderShipped", now, None, {})]
    head = Head.first("model", 90)
    for days in (90, 30, 60):
        head, _ = moved(head, head.live, page, page, timedelta(days=days))

    assert head.rebuilding("another", now).rebuild == Rebuild("another", "2026-10-26", now)


def every_day(world: World) -> dict[str, Document]:
    """What each day's sum is, whichever model's."""
    [head] = world.documents("operations", "head")
    found: dict[str, Document] = {}
    for id, (model, counts) in stored(world).items():
        slot, _, name = id.partition(":")
        era = [era for era in head["eras"] if era["since"] <= name[4:14]][-1]
        if name.startswith("day:") and (slot, model) == (era["slot"], era["model"]):
            found[name] = dict(counts)
    return found


@pytest.mark.parametrize("seed", range(20))
def test_however_the_events_are_ordered_and_cut_into_pages_the_sums_are_the_same(seed: int) -> None:
    random = Random(seed)
    start = datetime(2026, 11, 24, 6, tzinfo=UTC)
    names = sorted(FACTS)
    told = {"reason": "timeout", "total": 250, "currency": "GBP"}
    happened = [
        (f"ord_{order}", name, start + timedelta(minutes=random.randint(-5, 300)))
        for order in range(4)
        for name in random.sample(names, random.randint(1, len(names)))
    ]

    def replayed() -> tuple[Any, Any]:
        """Recorded in some order, then counted by pages of some sizes."""
        random.shuffle(happened)
        written = int(start.timestamp()) + 30_000
        events = [
            Recorded(f"{order}-{name}", order, order, "x", name, at, None, told, written + number // 3)
            for number, (order, name, at) in enumerate(happened)
        ]
        events.sort(key=lambda event: (event.recorded_at, event.event_id))
        head = replace(Head.first("one", 90), written_at=written)
        total: dict[str, Counter[str]] = {}
        left = list(events)
        while left:
            size = random.randint(1, len(left))
            page, left = left[:size], left[size:]
            orders = {event.order_id for event in page}
            facts = [event for event in events if event.order_id in orders]
            head, sums = moved(head, head.live, page, facts, timedelta(days=90))
            for place, counts in sums.items():
                total.setdefault(place.id, Counter()).update(counts)
        return head.live.open, {name: +counts for name, counts in total.items()}

    assert replayed() == replayed()


@pytest.mark.parametrize(
    ("begins", "ends", "counted"),
    [
        ("OrderPlaced", "StockRejected", "took.stock"),
        ("StockReserved", "PaymentAuthorised", "took.payment"),
        ("StockReserved", "PaymentDeclined", "took.payment"),
        ("OrderConfirmed", "ShipmentDispatched", "took.dispatch"),
        ("PaymentDeclined", "OrderRejected", "took.undo"),
        ("ShipmentCancelled", "OrderCancelled", "took.undo"),
        ("OrderShipped", "OrderCompleted", "took.settle"),
        ("OrderShipped", "OrderPaymentDue", "took.settle"),
        ("OrderPlaced", "OrderCancelled", "took.whole"),
        ("OrderPlaced", "OrderCompleted", "took.whole"),
        ("OrderPlaced", "OrderPaymentDue", "took.whole"),
        ("OrderPlaced", "OrderRejected", "took.whole"),
        ("OrderPlaced", "PaymentCaptured", "captured"),
    ],
)
def test_what_lies_further_apart_than_is_remembered_has_nothing_to_do_with_each_other(
    begins: str, ends: str, counted: str
) -> None:
    keep, at = timedelta(days=90), datetime(2026, 11, 24, 8, tzinfo=UTC)
    told = {"reason": "timeout", "total": 250, "currency": "GBP"}

    def added(apart: timedelta) -> list[str]:
        moments = ((begins, at), (ends, at + apart))
        events = [Recorded(name, "ord_1", "ord_1", "orders", name, moment, None, told) for name, moment in moments]
        names = [name.rpartition(".")[0] for _, name in added_by(events, keep)]
        return [name for name in names if name not in ("open", "rejected")]

    assert added(keep) == [counted]
    assert added(keep + timedelta.resolution) == []


@pytest.mark.parametrize(
    ("bins", "share", "seconds"),
    [({0: 1}, 0.99, 0.001), ({0: 1, 40: 1}, 0.75, 1.024), ({0: 98, 40: 2}, 0.99, 1.024), ({0: 99, 40: 1}, 0.5, 0.001)],
)
def test_a_percentile_is_where_so_many_are_below(bins: dict[int, int], share: float, seconds: float) -> None:
    assert percentile(bins, share) == seconds


@pytest.mark.parametrize(("period", "start"), [*zip(PERIODS, ["07:55", "07:00", "00:00"], strict=True)])
def test_a_period_begins_in_utc_whatever_the_offset(period: Period, start: str) -> None:
    assert f"{period.start(datetime.fromisoformat('2026-11-24T09:59:59.9+02:00')):%H:%M}" == start

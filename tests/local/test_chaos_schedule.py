"""What is to come over the stack, and what is sold meanwhile: both are known before anything starts."""

import math
from collections import Counter
from itertools import pairwise

import pytest

from chaos.sales import A_MINUTE, orders
from chaos.schedule import (
    HOST,
    KINDS,
    LOCK_SECONDS,
    LONGEST_FREEZE_SECONDS,
    Event,
    Fault,
    Freeze,
    Kill,
    Poison,
    schedule,
)
from local import topology
from local.faults import Fault as StandInsFault

HOSTS = [HOST + context for context in topology.load().contexts]
PARTS = [*HOSTS, "cosmos", "gateway", "identity", "payment_provider", "service_bus"]
LENGTHS = (0.2, 1.0, 3.0, 30.0)


def of[Kind: Event](kind: type[Kind], events: list[Event]) -> list[Kind]:
    return [event for event in events if isinstance(event, kind)]


def test_the_seed_decides_all_of_it() -> None:
    assert schedule(7, 3, PARTS) == schedule(7, 3, PARTS)
    assert schedule(7, 3, PARTS) != schedule(8, 3, PARTS)


@pytest.mark.parametrize("minutes", LENGTHS)
@pytest.mark.parametrize("seed", range(5))
def test_all_of_it_is_over_within_the_minutes(seed: int, minutes: float) -> None:
    events = schedule(seed, minutes, PARTS)

    assert events == sorted(events, key=lambda event: event.at)
    assert all(0 <= event.at <= minutes * 60 for event in events)
    assert all(freeze.at + freeze.seconds <= minutes * 60 + 0.001 for freeze in of(Freeze, events))


@pytest.mark.parametrize("minutes", [3.0, 30.0])
@pytest.mark.parametrize("seed", range(5))
def test_a_third_of_the_freezes_outlasts_a_lock_of_a_host_that_has_some(seed: int, minutes: float) -> None:
    freezes = of(Freeze, schedule(seed, minutes, PARTS))
    long = [freeze for freeze in freezes if freeze.seconds > LOCK_SECONDS]

    assert len(long) * 3 == len(freezes) == minutes
    assert all(1 <= freeze.seconds <= LONGEST_FREEZE_SECONDS for freeze in freezes)
    assert {freeze.part for freeze in long} <= {*HOSTS} - {HOST + "catalog"}


@pytest.mark.parametrize("seed", range(20))
def test_nothing_comes_over_a_part_that_is_away(seed: int) -> None:
    events = schedule(seed, 30, PARTS)
    for part in PARTS:
        of_part = [event for event in events if event.part == part and isinstance(event, Kill | Freeze)]
        for one, other in pairwise(of_part):
            assert other.at > one.at + (one.seconds if isinstance(one, Freeze) else 0)


def test_thirty_minutes_come_over_every_part_and_more_often_than_they_must() -> None:
    events = schedule(1, 30, PARTS)

    assert {event.part for event in of(Kill, events)} | {event.part for event in of(Freeze, events)} == {*PARTS}
    assert len(of(Kill, events)) == len(of(Freeze, events)) == 30


@pytest.mark.parametrize("minutes", LENGTHS)
def test_every_kind_of_fault_is_asked_for_as_often_as_the_others(minutes: float) -> None:
    asked = Counter(fault.kind for fault in of(Fault, schedule(1, minutes, PARTS)))

    assert asked.keys() == {*KINDS}
    assert len({*asked.values()}) == 1


def test_a_fault_has_the_name_that_the_stand_in_counts_it_by() -> None:
    for fault in of(Fault, schedule(1, 1, PARTS)):
        assert StandInsFault.model_validate(fault.wish).name == fault.name


@pytest.mark.parametrize("seed", range(5))
def test_no_lock_of_a_frozen_host_is_ended_by_hand(seed: int) -> None:
    events = schedule(seed, 30, PARTS)
    for fault in (each for each in of(Fault, events) if each.name == "expire-locks"):
        context = fault.wish["path"].strip("^$")
        frozen = [freeze for freeze in of(Freeze, events) if freeze.at <= fault.at <= freeze.at + freeze.seconds]
        assert HOST + context not in {freeze.part for freeze in frozen}


def test_every_queue_gets_a_message_that_nobody_can_read() -> None:
    poisons = of(Poison, schedule(1, 1, PARTS))

    assert {poison.part for poison in poisons} == {*HOSTS} - {HOST + "catalog"}
    assert len({poison.message_id for poison in poisons}) == len(poisons)


@pytest.mark.parametrize("minutes", LENGTHS)
def test_the_sales_are_enough_for_the_time_and_can_end_in_every_way(minutes: float) -> None:
    planned = orders(minutes)
    paid_by = Counter(order.body["paymentMethod"] for order in planned.orders)
    wanted = Counter[str]()
    for order in planned.orders:
        wanted.update({line["sku"]: line["quantity"] for line in order.body["lines"]})

    assert len(planned.orders) == len({order.invoice for order in planned.orders}) == math.ceil(minutes * A_MINUTE)
    assert paid_by.keys() == {"pm_card_visa", "pm_card_visa_chargeDeclined", "pm_card_visa_captureExpired"}
    assert {order.cancel for order in planned.orders} == {"at once", "later", None}
    assert any(planned.stock[sku] < wanted[sku] for sku in wanted)
    assert sum(planned.stock[sku] >= wanted[sku] for sku in wanted) > len(wanted) / 2

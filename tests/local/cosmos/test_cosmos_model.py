"""Batches, rollbacks and crashes against a dictionary."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from local.cosmos import batch
from local.cosmos.container import Container
from local.cosmos.errors import CosmosError
from local.cosmos.items import Items, Operation
from local.cosmos.query import page
from local.cosmos.store import Store

IDS = st.sampled_from("abc")
NUMBERS = st.integers(0, 3)
ETAGS = st.sampled_from([None, "current", "stale"])
STEPS = st.one_of(
    st.tuples(st.just("Create"), IDS, NUMBERS, st.none()),
    st.tuples(st.just("Upsert"), IDS, NUMBERS, ETAGS),
    st.tuples(st.just("Replace"), IDS, NUMBERS, ETAGS),
    st.tuples(st.just("Delete"), IDS, NUMBERS, ETAGS),
    st.tuples(st.just("Patch"), IDS, NUMBERS, ETAGS),
    st.tuples(st.just("Read"), IDS, NUMBERS, st.none()),
)
BATCHES = st.lists(st.tuples(st.lists(STEPS, min_size=1, max_size=4), st.booleans()), max_size=8)
type Step = tuple[str, str, int, str | None]
type Content = dict[str, int]


@contextmanager
def opened(folder: Path) -> Iterator[tuple[Store, Container]]:
    store = Store(folder / "cosmos.sqlite")
    if not store.definitions:
        store.create("dbs", {"id": "d"})
        store.create("dbs/d/colls", {"id": "c", "partitionKey": {"paths": ["/pk"]}})
    try:
        yield store, store.container("dbs/d/colls/c")
    finally:
        store.close()


def content(container: Container) -> Content:
    items = map(json.loads, page(container, "SELECT * FROM c", {}, None, 1000, None).results)
    return {item["id"]: item["n"] for item in items}


def expected(steps: list[Step], before: Content, changed: set[str]) -> tuple[list[int], Content]:
    """The statuses of a batch's steps up to the first failure, and what there is afterwards."""
    statuses, now = list[int](), dict(before)
    for kind, id, number, etag in steps:
        there = id in now
        # An ETag read before the batch is stale once an earlier step has changed the item.
        matches = etag is None or (etag == "current" and id in before and id not in changed)
        if kind == "Create":
            status = 409 if there else 201
        elif kind == "Upsert" and not there:
            status = 201
        elif not there:
            status = 404
        elif (kind != "Read" and not matches) or (kind == "Patch" and now[id] < number):
            status = 412
        else:
            status = 204 if kind == "Delete" else 200
        statuses.append(status)
        if status >= 400:
            return statuses, before
        if kind == "Delete":
            del now[id]
        elif kind == "Patch":
            now[id] += 1
        elif kind != "Read":
            now[id] = number
        if kind != "Read":
            changed.add(id)
    return statuses, now


def operation(step: Step, container: Container) -> dict[str, Any]:
    kind, id, number, etag = step
    body: dict[str, Any] = {"id": id, "pk": "p", "n": number}
    if kind == "Patch":
        increment = {"op": "incr", "path": "/n", "value": 1}
        body = {"operations": [increment], "condition": f"from c where c.n >= {number}"}
    wish: dict[str, Any] = {"operationType": kind, "id": id, "resourceBody": body}
    if etag is not None:
        found = container.find('"p"', id)
        wish["ifMatch"] = found.etag if found and etag == "current" else '"stale"'
    return wish


@settings(max_examples=60, deadline=None)
@given(BATCHES)
def test_batches_crashes_and_rollbacks_come_to_what_a_dictionary_says(
    batches: list[tuple[list[Step], bool]],
) -> None:
    model: Content = {}
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root) / "0"
        folder.mkdir()
        for number, (steps, crashing) in enumerate(batches, 1):
            with opened(folder) as (store, container):
                wish = [operation(step, container) for step in steps]
                if crashing:
                    folder = _crashed(store, container, wish, folder, Path(root) / str(number))
                    continue
                statuses, model = expected(steps, model, set())
                status, results, _ = batch.execute(store, container, '"p"', wish)
                assert status == (207 if statuses[-1] >= 400 else 200)
                assert [json.loads(result)["statusCode"] for result in results] == (
                    [424] * (len(statuses) - 1) + statuses[-1:] + [424] * (len(steps) - len(statuses))
                    if status == 207
                    else statuses
                )
                assert content(container) == model
        with opened(folder) as (_, container):
            assert content(container) == model


def _crashed(store: Store, container: Container, wish: list[dict[str, Any]], folder: Path, copy: Path) -> Path:
    """What a crash in the middle of a batch leaves: the files as they are before the transaction's end."""
    with suppress(CosmosError), store.transaction():
        items = Items(container, '"p"', store.sequence)
        with suppress(CosmosError):
            for one in wish:
                items.apply(Operation(one["operationType"], one["id"], one["resourceBody"], one.get("ifMatch")))
        shutil.copytree(folder, copy)
        raise CosmosError(500, "rolls the original back, which nobody looks at again")
    return copy

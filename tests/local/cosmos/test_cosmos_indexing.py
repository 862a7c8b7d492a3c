"""What a container's indexing policy has to do with answers and charges."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from local.cosmos.container import Container
from local.cosmos.errors import CosmosError
from local.cosmos.indexing import Index, policy
from local.cosmos.items import Items, Operation
from local.cosmos.query import Page, page
from local.cosmos.store import Store

type Make = Callable[..., Container]
ITEMS = 200


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Make]:
    """Makes a container with a policy; in it items with `even`, `n` and `m`, four to a partition."""
    with closing(Store(tmp_path / "cosmos.sqlite")) as store:
        store.create("dbs", {"id": "d"})

        def make(**wish: Any) -> Container:
            definition = {"id": "c", "partitionKey": {"paths": ["/pk"]}, "indexingPolicy": wish or None}
            store.create("dbs/d/colls", definition)
            container = store.container("dbs/d/colls/c")
            with store.transaction():
                for number in range(ITEMS):
                    item = {"id": f"{number:03}", "pk": f"{number // 4}", "even": number % 2 == 0}
                    item |= {"n": number, "m": -number}
                    Items(container, f'"{item["pk"]}"', store.sequence).apply(Operation("Create", body=item))
            return container

        yield make


def only(*paths: str, composite: str = "") -> dict[str, Any]:
    """A policy with these properties alone; `composite` as "a, b DESC"."""
    parts = [part.split() for part in composite.split(",") if part]
    index = [{"path": f"/{name}", "order": "descending" if way else "ascending"} for name, *way in parts]
    wish = {"includedPaths": [{"path": path} for path in paths], "excludedPaths": [{"path": "/*"}]}
    return wish | {"compositeIndexes": [index] if index else []}


def asked(container: Container, where: str, partition: str | None = None, size: int = 1000) -> Page:
    return page(container, f"SELECT * FROM c {where}", {"id": "003", "zero": "0"}, partition, size, None)


def scanned(answer: Page) -> bool:
    """Whether all documents were looked at, by its charge."""
    return answer.charge > 2 * 0.02 * ITEMS


@pytest.mark.parametrize(
    ("path", "covered"),
    [
        ("a", True),
        ("a/x", True),
        ("b", True),
        ("b/x", False),
        ("b/x/y", True),
        ("b/x/y/z", False),
        ("b/x/[]", False),
        ("c d", False),
        ("id", True),
        ("_ts", True),
        ("_etag", False),
    ],
)
def test_the_most_precise_path_decides(path: str, covered: bool) -> None:
    included = [{"path": "/*"}, {"path": "/b/x/y/?"}]
    excluded = [{"path": "/b/x/*"}, {"path": '/"c d"/?'}]

    index = Index(policy({"includedPaths": included, "excludedPaths": excluded}))

    assert index.covers(tuple(path.split("/"))) is covered


def test_a_container_without_a_policy_has_the_default_one(made: Make) -> None:
    assert made().definition["indexingPolicy"] == {
        "indexingMode": "consistent",
        "automatic": True,
        "includedPaths": [{"path": "/*"}],
        "excludedPaths": [{"path": '/"_etag"/?'}],
    }


def test_a_policy_in_the_old_form_is_taken(made: Make) -> None:
    container = made(includedPaths=[{"path": "/", "indexes": [{"kind": "Range", "dataType": "Number"}]}])

    assert container.definition["indexingPolicy"]["includedPaths"] == [{"path": "/*"}]


@pytest.mark.parametrize(
    ("wish", "status"),
    [
        ({"includedPaths": [{"path": "/a/?"}]}, 400),
        ({"includedPaths": ["/*"]}, 400),
        ({"automatic": False}, 501),
        ({"indexingMode": "lazy"}, 501),
        ({"vectorIndexes": [{"path": "/v", "type": "flat"}]}, 501),
    ],
)
def test_a_policy_that_can_not_be_is_refused(made: Make, wish: dict[str, Any], status: int) -> None:
    with pytest.raises(CosmosError) as caught:
        made(**wish)

    assert caught.value.status == status


@pytest.mark.parametrize(
    ("where", "scans"),
    [
        ("WHERE c.n = 3", False),
        ("WHERE c.n < 3", False),
        ("WHERE c.n = 3 AND c.m = -3", False),
        ("WHERE c.n = 3 OR c.n = 4", False),
        ("WHERE c.m = -3", True),
        ("WHERE c.n = 3 OR c.m = -3", True),
        ("WHERE c.pk = @zero", True),
    ],
)
def test_a_filter_on_an_excluded_path_is_answered_by_a_scan(made: Make, where: str, scans: bool) -> None:
    container = made(**only("/n/?"))

    answer = asked(container, where)

    assert 1 <= len(answer.results) <= 4
    assert scanned(answer) is scans


@pytest.mark.parametrize(("paths", "scans"), [(("/pk/?",), False), ((), True)])
def test_a_partition_and_single_items_are_found_by_the_partition_key_s_index(
    made: Make, paths: tuple[str, ...], scans: bool
) -> None:
    container = made(**only(*paths))

    of_partition = asked(container, "", partition='"0"')
    single = asked(container, "WHERE ( ( c.id = @id AND c.pk = @zero ) )")

    assert (len(of_partition.results), len(single.results)) == (4, 1)
    assert [scanned(each) for each in (of_partition, single)] == [scans, scans]


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        ("( ( c.id = @a AND c.pk = @zero ) OR ( c.id = @b AND c.pk = @one ) )", ["003", "004"]),
        ("c.pk = @zero AND c.id IN (@a, @b)", ["003"]),
        ("c.pk = @one AND c.id IN (@a, @b)", ["004"]),
    ],
)
def test_many_single_items_are_searched_for_and_not_read_through(made: Make, where: str, ids: list[str]) -> None:
    container, parameters = made(), {"a": "003", "zero": "0", "b": "004", "one": "1"}
    steps = count()
    container._db.set_progress_handler(lambda: next(steps) < 0, 1)

    found = page(container, f"SELECT * FROM c WHERE {where}", parameters, None, 1000, None)

    assert [json.loads(each)["id"] for each in found.results] == ids
    assert next(steps) < ITEMS


@pytest.mark.parametrize(
    ("order", "status"),
    [
        ("c.n", 200),
        ("c.n DESC", 200),
        ("c.even", 400),
        ("c.n, c.m", 200),
        ("c.n DESC, c.m DESC", 200),
        ("c.m, c.n", 400),
        ("c.n, c.m, c.id", 400),
        ("c.n, c.m DESC", 400),
    ],
)
def test_a_sorting_needs_its_index(made: Make, order: str, status: int) -> None:
    container = made(**only("/n/?", "/m/?", composite="n, m"))

    if status == 200:
        assert len(asked(container, f"ORDER BY {order}").results) == ITEMS
        return
    with pytest.raises(CosmosError) as caught:
        asked(container, f"ORDER BY {order}")

    assert caught.value.status == status


def test_a_sorting_in_both_directions_that_has_its_index_is_not_supported(made: Make) -> None:
    container = made(**only(composite="n, m DESC"))

    with pytest.raises(CosmosError) as caught:
        asked(container, "ORDER BY c.n, c.m DESC")

    assert (caught.value.status, "both directions" in caught.value.message) == (501, True)


def test_a_sorting_walks_past_what_its_index_does_not_leave_out(made: Make) -> None:
    container = made(**only("/even/?", "/n/?", composite="even, n"))

    past = asked(container, "WHERE c.even = false AND c.n > 190 ORDER BY c.n")
    found = asked(container, "WHERE c.even = false AND c.n > 190 ORDER BY c.even, c.n")
    all_past = asked(container, "WHERE c.even = false AND c.m = -199 ORDER BY c.even, c.n")

    assert past.results == found.results
    assert found.charge < past.charge < all_past.charge
    assert len(all_past.results) == 1


def test_a_page_pays_for_what_it_walked_alone(made: Make) -> None:
    container = made(**only("/n/?"))

    first = asked(container, "WHERE c.m > -100 ORDER BY c.n", size=5)

    assert first.charge == pytest.approx(asked(container, "WHERE c.n < 5").charge, rel=0.01)


def test_a_write_pays_for_its_entries_in_the_index(made: Make, tmp_path: Path) -> None:
    item = {"id": "1", "pk": "p", "list": [1, 2, {"x": 3}], "n": 1, "m": 2}

    assert Index(policy(None)).entries(item) == 7
    assert Index(policy(only("/n/?", "/list/[]/?"))).entries(item) == 4
    assert Index(policy(only(composite="n, m"))).entries(item) == 2
    assert Index(policy({"indexingMode": "none"})).entries(item) == 0

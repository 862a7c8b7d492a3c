"""What a change leads to in an environment, on small histories of their own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from scripts.deployment_plan import in_order, plan, predecessors
from scripts.live import Unanswered
from tests.git import commit_all, git

ROOT = Path(__file__).parents[2]
ALL = ["inventory", "payments", "shipping", "orders", "catalog"]
"""In the order of deployment: whom orders sends commands to, orders, and whose events orders takes."""


def of_all(topology: dict[str, Any]) -> dict[str, Any]:
    """What it says of these contexts alone, as far as a plan asks."""
    return {
        "contexts": [context for context in topology["contexts"] if context in ALL],
        "grants": [each for each in topology["grants"] if each["context"] in ALL],
        "subscriptions": [each for each in topology["subscriptions"] if each["forwardTo"].partition("-")[0] in ALL],
    }


TOPOLOGY = of_all(json.loads((ROOT / "infra" / "topology.json").read_text()))


class History:
    """A repository as ours is, of which an environment runs a version."""

    def __init__(self, checkout: Path) -> None:
        self.checkout = checkout
        git(self.checkout, "init", "-q")
        self.deployments: list[dict[str, Any]] = []
        self.runs: dict[str, str] = {}
        self.first = self.commit(
            {
                ".funcignore": (ROOT / ".funcignore").read_text(),
                "infra/topology.json": json.dumps(TOPOLOGY),
                "services/orders/domain.py": "",
            }
        )

    def commit(self, files: Mapping[str, str]) -> str:
        """Commit these files beside those that are there; the commit."""
        for name, content in files.items():
            (self.checkout / name).parent.mkdir(parents=True, exist_ok=True)
            (self.checkout / name).write_text(content)
        return commit_all(self.checkout, "more")

    def deployed(self, commit: str, state: str = "Succeeded") -> None:
        """`infra/` was deployed last, by the pipeline."""
        apps = [{"context": context, "url": f"https://{context}"} for context in ALL]
        properties = {
            "provisioningState": state,
            "timestamp": f"2026-11-{len(self.deployments) + 1:02}T10:00:00Z",
            "outputs": {"apps": {"value": apps}} if state == "Succeeded" else None,
        }
        self.deployments.append({"name": f"orderflow-{commit}", "properties": properties})

    def running(self, commit: str) -> None:
        """The environment is as this commit has it."""
        self.deployed(commit)
        self.runs = dict.fromkeys(ALL, commit)

    def ask(self, url: str, context: str) -> str:
        assert url == f"https://{context}"
        if context not in self.runs:
            raise Unanswered("nothing there")
        return self.runs[context]

    def plan(self) -> tuple[bool, list[str]]:
        """Whether infra is due, and the contexts that are, in their order."""
        outputs = plan(self.checkout, self.deployments, self.ask)
        return json.loads(outputs["infra"]), [each["context"] for each in json.loads(outputs["contexts"])]


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path)


def test_an_empty_environment_gets_infra_and_every_context_with_nothing_to_go_back_to(history: History) -> None:
    outputs = plan(history.checkout, [], history.ask)

    assert outputs["infra"] == "true"
    assert outputs["deployment"] == f"orderflow-{history.first}"
    assert json.loads(outputs["contexts"]) == [
        {"context": "inventory", "running": "", "after": []},
        {"context": "payments", "running": "", "after": []},
        {"context": "shipping", "running": "", "after": []},
        {"context": "orders", "running": "", "after": ["inventory", "payments", "shipping"]},
        {"context": "catalog", "running": "", "after": ["orders"]},
    ]


def test_nothing_is_due_where_nothing_changed(history: History) -> None:
    history.running(history.first)

    assert plan(history.checkout, history.deployments, history.ask) == {
        "infra": "false",
        "deployment": f"orderflow-{history.first}",
        "contexts": "[]",
    }


@pytest.mark.parametrize(
    ("path", "infra", "contexts"),
    [
        ("services/orders/domain.py", False, ["orders"]),
        ("services/catalog/deep/down.py", False, ["catalog"]),
        ("services/__init__.py", False, ALL),
        ("services/unborn/domain.py", False, []),
        ("shared/outbox.py", False, ALL),
        ("function_app.py", False, ALL),
        ("host.json", False, ALL),
        ("requirements.txt", False, ALL),
        ("a-new-module.py", False, ALL),
        ("scripts/make_package.py", False, ALL),
        (".funcignore", False, ALL),
        ("infra/main.bicep", True, []),
        ("infra/modules/cosmos.bicep", True, []),
        ("requirements-dev.txt", False, []),
        ("requirements.in", False, []),
        ("scripts/check", False, []),
        ("docs/api.md", False, []),
        ("README.md", False, []),
        ("tests/unit/shared/test_it.py", False, []),
        ("local/state.py", False, []),
        (".github/workflows/ci.yml", False, []),
    ],
)
def test_a_file_reaches_what_is_made_of_it(history: History, path: str, infra: bool, contexts: list[str]) -> None:
    history.running(history.first)
    history.commit({path: "docs/\n*.md\n.github/\n# changed" if path == ".funcignore" else "changed"})

    assert history.plan() == (infra, contexts)


def test_a_file_that_is_gone_or_moved_reaches_what_it_was_part_of(history: History) -> None:
    history.running(history.first)
    git(history.checkout, "mv", "services/orders/domain.py", "docs.md")
    history.commit({})

    assert history.plan() == (False, ["orders"])


def test_what_an_environment_missed_is_still_due(history: History) -> None:
    history.running(history.first)
    history.commit({"services/orders/domain.py": "one"})
    history.commit({"services/payments/domain.py": "two", "infra/main.bicep": "three"})
    history.commit({"docs/api.md": "four"})

    assert history.plan() == (True, ["payments", "orders"])


def test_a_context_that_went_back_is_due_again_and_the_others_are_not(history: History) -> None:
    history.running(history.commit({"shared/outbox.py": "changed"}))
    history.runs["shipping"] = history.first
    outputs = plan(history.checkout, history.deployments, history.ask)

    assert json.loads(outputs["contexts"]) == [{"context": "shipping", "running": history.first, "after": []}]


def test_going_back_to_an_older_commit_deploys_what_differs(history: History) -> None:
    newer = history.commit({"services/orders/domain.py": "newer", "infra/main.bicep": "newer"})
    history.running(newer)
    git(history.checkout, "checkout", "-q", history.first)

    assert history.plan() == (True, ["orders"])


def test_a_context_that_does_not_answer_is_deployed_without_a_way_back(
    history: History, capsys: pytest.CaptureFixture[str]
) -> None:
    history.running(history.first)
    del history.runs["orders"]
    outputs = plan(history.checkout, history.deployments, history.ask)

    assert json.loads(outputs["contexts"]) == [{"context": "orders", "running": "", "after": []}]
    assert capsys.readouterr().err == "orders is deployed anew: nothing there\n"


def test_a_commit_that_this_history_does_not_know_says_nothing(history: History) -> None:
    history.running("0" * 40)

    outputs = plan(history.checkout, history.deployments, history.ask)

    assert outputs["infra"] == "true"
    assert [(each["context"], each["running"]) for each in json.loads(outputs["contexts"])] == [
        (one, "") for one in ALL
    ]


def test_infra_that_failed_is_due_again_and_names_no_apps(history: History) -> None:
    history.running(history.first)
    second = history.commit({"infra/main.bicep": "changed"})
    history.deployed(second, state="Failed")
    outputs = plan(history.checkout, history.deployments, history.ask)

    assert (outputs["infra"], outputs["deployment"]) == ("true", f"orderflow-{second}")


def test_the_deployment_that_names_the_apps_is_the_newest_that_succeeded_whatever_others_made(history: History) -> None:
    history.running(history.first)
    history.deployed(history.commit({"infra/main.bicep": "changed"}))
    history.runs = dict.fromkeys(ALL, history.commit({}))
    history.deployments.append(
        {"name": "by-hand", "properties": {"provisioningState": "Succeeded", "timestamp": "2027-01-01T00:00:00Z"}}
    )
    history.deployments.reverse()
    outputs = plan(history.checkout, history.deployments, history.ask)

    assert outputs["infra"] == "false"
    assert outputs["deployment"] == history.deployments[1]["name"]


def test_a_context_that_is_new_in_the_topology_is_due_with_infra(history: History) -> None:
    history.running(history.first)
    grant = {"context": "gifts", "send": ["gifts-events"], "receive": ["gifts"]}
    grown = TOPOLOGY | {"contexts": [*TOPOLOGY["contexts"], "gifts"], "grants": [*TOPOLOGY["grants"], grant]}
    history.commit({"infra/topology.json": json.dumps(grown), "services/gifts/domain.py": ""})

    assert history.plan() == (True, ["gifts"])


def topology(**contexts: tuple[list[str], list[str]]) -> dict[str, Any]:
    """A topology of contexts, each with those that it commands and those whose events it takes."""
    return {
        "contexts": list(contexts),
        "grants": [
            {"context": name, "send": [f"{name}-events", name, *commanded], "receive": [name]}
            for name, (commanded, _) in contexts.items()
        ],
        "subscriptions": [
            {"topic": f"{publisher}-events", "name": name, "forwardTo": name}
            for name, (_, publishers) in contexts.items()
            for publisher in publishers
        ],
    }


def test_whoever_takes_new_messages_is_deployed_before_whoever_sends_them() -> None:
    shop = topology(
        orders=(["stock"], ["stock", "prices"]),
        stock=([], []),
        prices=([], []),
        letters=([], ["orders", "stock"]),
    )

    assert predecessors(shop) == {
        "orders": {"stock", "letters"},
        "stock": {"letters"},
        "prices": {"orders"},
        "letters": set(),
    }
    assert in_order(shop) == ["letters", "stock", "orders", "prices"]


def test_contexts_that_wait_for_one_another_are_deployed_as_the_topology_has_them() -> None:
    circle = topology(a=(["b"], []), b=(["a"], []), c=([], ["a"]))

    assert in_order(circle) == ["c", "a", "b"]

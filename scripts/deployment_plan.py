"""What is to be deployed in an environment, and in which order: from the topology, and from what runs there now.

`az deployment group list … | python -m scripts.deployment_plan` prints what the pipeline's jobs are made of.
What changed is counted from what an environment runs, not from the last push: whatever failed, was overtaken or was
taken back is still to be deployed then. Only the standard library, as in `scripts.live`.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from scripts.live import Unanswered, running

type Running = Callable[[str, str], str]
"""The commit that runs at a URL for a context; raises Unanswered."""

PREFIX = "orderflow-"
"""What the pipeline's deployments of `infra/` are named by, before the commit."""

MAKES_THE_PACKAGE = {".funcignore", "scripts/package", "scripts/make_package.py"}


def plan(checkout: Path, deployments: Iterable[Mapping[str, Any]], ask: Running) -> dict[str, str]:
    """The outputs: whether `infra` is to be deployed, the `deployment` of it that names the apps then, and the
    `contexts` to deploy: what each runs now, if that is known, and those that it comes `after`."""
    topology = json.loads((checkout / "infra" / "topology.json").read_text())
    head = git(checkout, "rev-parse", "HEAD").strip()
    last = last_of(deployments)
    infra = last is None or "infra" in reach(checkout, topology, commit_of(last))
    now = {} if last is None else answers(last["properties"]["outputs"]["apps"]["value"], ask)
    due = [context for context in in_order(topology) if context in reach(checkout, topology, now.get(context))]
    contexts = [
        {
            "context": context,
            "running": now[context] if is_known(checkout, now.get(context)) else "",
            "after": sorted(predecessors(topology)[context] & set(due[:place])),
        }
        for place, context in enumerate(due)
    ]
    return {
        "infra": json.dumps(infra),
        "deployment": f"{PREFIX}{head}" if last is None or infra else last["name"],
        "contexts": json.dumps(contexts),
    }


def last_of(deployments: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The pipeline's newest deployment of `infra/` that succeeded."""
    succeeded = (
        each
        for each in deployments
        if each["name"].startswith(PREFIX) and each["properties"]["provisioningState"] == "Succeeded"
    )
    return max(succeeded, key=lambda each: str(each["properties"]["timestamp"]), default=None)


def commit_of(deployment: Mapping[str, Any]) -> str:
    """The commit whose `infra/` was deployed."""
    return str(deployment["name"]).removeprefix(PREFIX)


def answers(apps: Iterable[Mapping[str, str]], ask: Running) -> dict[str, str]:
    """The commit that each context runs, of those that say it."""
    found = {}
    for app in apps:
        try:
            found[app["context"]] = ask(app["url"], app["context"])
        except Unanswered as silence:
            sys.stderr.write(f"{app['context']} is deployed anew: {silence}\n")
    return found


def reach(checkout: Path, topology: Mapping[str, Any], since: str | None) -> set[str]:
    """What the changes since a commit reach: contexts, and "infra". All, where the commit isn't known here."""
    everything = {"infra", *topology["contexts"]}
    if not is_known(checkout, since):
        return everything
    found: set[str] = set()
    changed = git(checkout, "diff", "--name-only", "--no-renames", "-z", f"{since}", "HEAD").split("\0")[:-1]
    for path in changed:
        match path.split("/"):
            case ["infra", *_]:
                found.add("infra")
            case ["services", context, _, *_]:
                found |= {context} & everything
            case _ if path in MAKES_THE_PACKAGE or not is_left_out(checkout, path):
                found |= everything - {"infra"}
    return found


def is_known(checkout: Path, commit: str | None) -> bool:
    """Whether this history has the commit."""
    return bool(commit) and git_succeeds(checkout, "cat-file", "-e", f"{commit}^{{commit}}")


def is_left_out(checkout: Path, path: str) -> bool:
    """Whether the package comes without this file."""
    return git_succeeds(checkout, "-c", "core.excludesFile=.funcignore", "check-ignore", "-q", "--no-index", path)


def predecessors(topology: Mapping[str, Any]) -> dict[str, set[str]]:
    """Who is deployed before each context, so that its new messages find a version that knows them: those whom it
    sends commands to, and those who take its events. Not the latter where they send it commands themselves: its events
    are answers then, and new answers follow new commands."""
    owners = {queue: grant["context"] for grant in topology["grants"] for queue in grant["receive"]}
    commanded = {
        grant["context"]: {owners[queue] for queue in grant["send"] if queue in owners} - {grant["context"]}
        for grant in topology["grants"]
    }
    found = {context: set(commanded[context]) for context in topology["contexts"]}
    for subscription in topology["subscriptions"]:
        taker = owners[subscription["forwardTo"]]
        for grant in topology["grants"]:
            if subscription["topic"] in grant["send"] and grant["context"] not in commanded[taker]:
                found[grant["context"]].add(taker)
    return found


def in_order(topology: Mapping[str, Any]) -> list[str]:
    """The contexts, each after those that it comes after; where they wait for one another, as the topology has them."""
    waiting = list(topology["contexts"])
    before = predecessors(topology)
    found: list[str] = []
    while waiting:
        free = [context for context in waiting if before[context].isdisjoint(waiting)]
        found.append((free or waiting)[0])
        waiting.remove(found[-1])
    return found


def git(checkout: Path, *command: str) -> str:
    return subprocess.run(["git", *command], cwd=checkout, stdout=subprocess.PIPE, text=True, check=True).stdout


def git_succeeds(checkout: Path, *command: str) -> bool:
    return subprocess.run(["git", *command], cwd=checkout, capture_output=True, check=False).returncode == 0


if __name__ == "__main__":
    for name, value in plan(Path.cwd(), json.load(sys.stdin), running).items():
        sys.stdout.write(f"{name}={value}\n")

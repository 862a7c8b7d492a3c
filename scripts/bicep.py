"""Holds `infra/` to the Bicep compiler and to its committed snapshots, without Azure.

`check` says what is wrong, one line each; `snapshot` writes what each parameter file would deploy beside it; `ages`
says which API versions have newer ones, which is no fault: they come when they come.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from local.topology import TopologyError, load
from scripts import azure_rules

ROOT = Path(__file__).parents[1]
NO_COMPILER = "there is no Bicep compiler: run `az bicep install`, or put `bicep` on PATH"

# Made up, so that every name and id in a snapshot is plain text.
PLACE = (
    *("--tenant-id", "11111111-1111-1111-1111-111111111111"),
    *("--subscription-id", "22222222-2222-2222-2222-222222222222"),
    *("--resource-group", "rg-orderflow"),
    *("--location", "uksouth"),
)

# What an installation must say itself: its parameter files take these from the environment.
OF_AN_INSTALLATION = {
    "ORDERFLOW_ALERT_EMAIL": "ops@example.com",
    "ORDERFLOW_BUDGET_START": "2026-12-01",
    "ORDERFLOW_TOKEN_ISSUER": "https://id.example",
    "ORDERFLOW_TOKEN_AUDIENCE": "orderflow",
}


def compiler() -> str | None:
    """The Bicep compiler: on PATH, or where `az bicep install` puts it."""
    return shutil.which("bicep") or shutil.which("bicep", path=Path.home() / ".azure" / "bin")


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The compiler's answer. It sees nothing of this installation's settings, so that everybody's is the same."""
    found = compiler()
    if found is None:
        raise FileNotFoundError(NO_COMPILER)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ORDERFLOW_")}
    environment |= OF_AN_INSTALLATION
    return subprocess.run([found, *arguments], env=environment, capture_output=True, text=True, check=False)


def faults(root: Path = ROOT) -> Iterator[str]:
    """What is wrong with `infra/`: with the topology, the sources, the snapshots, and what these would deploy."""
    infra = root / "infra"
    wrong = [*topology_faults(root), *format_faults(infra), *lint_faults(infra)]
    yield from wrong
    if not wrong:
        yield from snapshot_faults(infra)


def snapshot(infra: Path = ROOT / "infra") -> Iterator[str]:
    """Write all snapshots; what the compiler says of those that it can't make."""
    for parameters in sorted(infra.glob("*.bicepparam")):
        answer = run("snapshot", parameters, *PLACE)
        if answer.returncode or answer.stderr:
            yield f"{parameters.name}: {answer.stderr.strip()}"


def topology_faults(root: Path) -> Iterator[str]:
    """What the topology and the contexts' folders don't agree in, and names that are none."""
    file = root / "infra" / "topology.json"
    try:
        load(file)
    except TopologyError as fault:
        yield f"infra/topology.json: {fault}"
    topology = json.loads(file.read_text())
    contexts = topology["contexts"]
    folders = {path.parent.name for path in (root / "services").glob("*/bootstrap.py")}
    for context in sorted(set(contexts) - folders):
        yield f"infra/topology.json: {context} has no services/{context}/bootstrap.py"
    for folder in sorted(folders - set(contexts)):
        yield f"services/{folder}: is not among the contexts of infra/topology.json"
    for section, key in (("apps", "context"), ("containers", "name"), ("grants", "context")):
        if sorted(entry[key] for entry in topology[section]) != sorted(contexts):
            yield f"infra/topology.json: {section} should have one entry for each context"
    for context in contexts:
        if not re.fullmatch("[a-z][a-z0-9]{1,12}", context):
            yield (
                f"infra/topology.json: {context!r} should be 2-13 lower-case letters and digits, a letter first: "
                f"it is part of the names of Azure resources, the Function App's below 32 characters among them"
            )


def format_faults(infra: Path) -> Iterator[str]:
    """Sources that the compiler would write otherwise."""
    with TemporaryDirectory() as folder:
        copy = shutil.copytree(infra, Path(folder) / "infra")
        yield from run("format", "--pattern", copy / "**" / "*.bicep*").stderr.splitlines()
        for source in sorted(infra.rglob("*.bicep*")):
            if source.read_bytes() != (copy / source.relative_to(infra)).read_bytes():
                yield f"{source.name}: is not formatted; mend it with `bicep format {source.relative_to(infra.parent)}`"


def lint_faults(infra: Path) -> Iterator[str]:
    """Whatever the compiler says: wrong properties and values are only warnings to it."""
    for source in sorted(infra.glob("*.bicep")):
        yield from run("lint", source).stderr.splitlines()


def snapshot_faults(infra: Path) -> Iterator[str]:
    """Snapshots that are not what the sources would deploy, and what Azure would refuse of those that are."""
    parameters = sorted(infra.glob("*.bicepparam"))
    with ThreadPoolExecutor(max_workers=2) as pool:
        answers = pool.map(lambda each: run("snapshot", "--mode", "validate", each, *PLACE), parameters)
        for each, answer in zip(parameters, answers, strict=True):
            if answer.returncode or answer.stderr:
                yield f"{each.name}: {answer.stderr.strip()}\n{answer.stdout.strip()}".rstrip()
                if answer.stdout:
                    yield f"{each.stem}.snapshot.json: if that is meant, `python -m scripts.bicep snapshot` writes it"
            else:
                found = json.loads(each.with_suffix(".snapshot.json").read_text())
                yield from (f"{each.stem}: {fault}" for fault in azure_rules.faults(found))


def ages(infra: Path = ROOT / "infra") -> Iterator[str]:
    """API versions that the compiler calls old, each once, and those that it would take."""
    with TemporaryDirectory() as folder:
        copy = shutil.copytree(infra, Path(folder) / "infra")
        rules = json.loads((copy / "bicepconfig.json").read_text())
        rules["analyzers"]["core"]["rules"]["use-recent-api-versions"] = {"level": "warning"}
        (copy / "bicepconfig.json").write_text(json.dumps(rules))
        said = run("lint", copy / "main.bicep").stderr
    yield from dict.fromkeys(re.findall(r"Use more recent API version for .+?(?= \[https)", said))


def main(command: str) -> int:
    """The exit status: 0 where nothing is wrong. Without a compiler the check is left out, but never in CI."""
    if compiler() is None:
        sys.stderr.write(f"infra/ can't be looked at: {NO_COMPILER}\n")
        return 1 if os.environ.get("CI") or command == "snapshot" else 0
    if command == "ages":
        sys.stdout.writelines(f"{age}\n" for age in ages())
        return 0
    found = dict.fromkeys({"check": faults, "snapshot": snapshot}[command]())
    sys.stderr.writelines(f"{fault}\n" for fault in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

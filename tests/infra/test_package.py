"""What `scripts/package` promises: on small checkouts of their own, and (long) of this commit itself."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from scripts.make_package import APP
from tests.git import commit_all, git
from tests.infra.application import environment

ROOT = Path(__file__).parents[2]
CONTEXTS: list[str] = json.loads((ROOT / "infra" / "topology.json").read_text())["contexts"]


def wheel(folder: Path, name: str, *needs: str) -> str:
    """Make a wheel, version 1, of one empty module; its pin with its hash."""
    file = folder / f"{name}-1-py3-none-any.whl"
    info = f"{name}-1.dist-info"
    with zipfile.ZipFile(file, "w") as package:
        package.writestr(f"{name}.py", "")
        package.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        requires = "".join(f"Requires-Dist: {need}\n" for need in needs)
        package.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n{requires}")
        package.writestr(f"{info}/RECORD", "")
    return f"{name}==1 \\\n    --hash=sha256:{sha256(file.read_bytes()).hexdigest()}\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with a small app that needs `lamp`, which on Linux needs `bulb`."""
    checkout, wheels = tmp_path / "checkout", tmp_path / "wheels"
    wheels.mkdir()
    pins = wheel(wheels, "lamp", "bulb; sys_platform == 'linux'", "tester; extra == 'dev'") + wheel(wheels, "bulb")
    files = {
        ".funcignore": "docs/\npyproject.toml\nrequirements*.in\n.funcignore\n*.md\n",
        "LICENSE": "MIT",
        "README.md": "Lamps",
        "docs/deep/page.txt": "",
        "function_app.py": "import services.lamps\n",
        "host.json": "{}",
        "openapi.json": "{}",
        "pyproject.toml": '[project]\nname = "lamps"\nversion = "1.2.3"\n',
        "requirements.in": "lamp>=1  # light\n",
        "requirements.txt": pins,
        "services/lamps.py": "LIT = {'a', 'b', 'c'}\n",
        "shared/light.py": "",
    }
    for name, content in files.items():
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text(content)
    git(checkout, "init", "-q")
    commit_all(checkout, "all")
    return checkout


def make(checkout: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Make the package of what is committed; wheels come from beside the checkout."""
    return package(checkout, PIP_NO_INDEX="1", PIP_FIND_LINKS=str(checkout.parent / "wheels"), **environment)


def package(checkout: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "scripts" / "make_package.py"],
        cwd=checkout,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def packed(checkout: Path) -> list[str]:
    """The names of the package's files, but those of bytecode."""
    with zipfile.ZipFile(checkout / "dist" / "orderflow.zip") as file:
        return [name for name in file.namelist() if "__pycache__" not in name]


def test_the_package_has_the_apps_files_its_release_and_its_dependencies_and_nothing_else(checkout: Path) -> None:
    done = make(checkout)

    assert (done.returncode, done.stderr) == (0, "")
    site = ".python_packages/lib/site-packages"
    assert packed(checkout) == [
        f"{site}/bulb-1.dist-info/METADATA",
        f"{site}/bulb-1.dist-info/WHEEL",
        f"{site}/bulb.py",
        f"{site}/lamp-1.dist-info/METADATA",
        f"{site}/lamp-1.dist-info/WHEEL",
        f"{site}/lamp.py",
        "LICENSE",
        "function_app.py",
        "host.json",
        "openapi.json",
        "release.json",
        "requirements.txt",
        "services/lamps.py",
        "shared/light.py",
    ]
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=checkout, capture_output=True, text=True, check=True)
    with zipfile.ZipFile(checkout / "dist" / "orderflow.zip") as file:
        release = json.loads(file.read("release.json"))
    assert release == {"version": "1.2.3", "commit": head.stdout.strip()}
    assert (
        f"{(checkout / 'dist' / 'orderflow.zip').stat().st_size:,} bytes, 19 files (11 of the app's own)" in done.stdout
    )


def test_the_same_commit_makes_the_same_bytes_whatever_else_differs(checkout: Path) -> None:
    make(checkout, TZ="UTC", PYTHONHASHSEED="1")
    first = (checkout / "dist" / "orderflow.zip").read_bytes()
    os.utime(checkout / "host.json", (0, 0))
    (checkout / "host.json").chmod(0o600)

    assert make(checkout, TZ="Asia/Tokyo", PYTHONHASHSEED="2", TMPDIR=str(checkout.parent)).returncode == 0
    assert (checkout / "dist" / "orderflow.zip").read_bytes() == first


def test_what_is_not_committed_is_not_in_it_and_said_so(checkout: Path) -> None:
    (checkout / "host.json").write_text('{"version": "2.0"}')
    (checkout / "services" / "new.py").touch()

    done = make(checkout)

    assert "package: what isn't committed will not be in it" in done.stderr
    with zipfile.ZipFile(checkout / "dist" / "orderflow.zip") as file:
        assert file.read("host.json") == b"{}"
        assert "services/new.py" not in file.namelist()


def a_development_tool(checkout: Path) -> None:
    with (checkout / "requirements.txt").open("a") as lock:
        lock.write(wheel(checkout.parent / "wheels", "tester"))


def an_unlocked_dependency(checkout: Path) -> None:
    wheel(checkout.parent / "wheels", "another")
    with (checkout / "requirements.txt").open("a") as lock:
        lock.write("another==1\n")


def a_wheel_with_other_bytes(checkout: Path) -> None:
    wheel(checkout.parent / "wheels", "bulb", "lamp")


def a_dependency_with_the_apps_name(checkout: Path) -> None:
    with (checkout / "requirements.txt").open("a") as lock:
        lock.write(wheel(checkout.parent / "wheels", "shared"))
    (checkout / "requirements.in").write_text("lamp\nshared\n")


def tests_beside_the_app(checkout: Path) -> None:
    (checkout / "tests").mkdir()
    (checkout / "tests" / "test_lamps.py").touch()


def the_app_left_out(checkout: Path) -> None:
    with (checkout / ".funcignore").open("a") as ignored:
        ignored.write("services/\n")


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        (a_development_tool, "tester is in requirements.txt, and nothing in requirements.in needs it"),
        (an_unlocked_dependency, "Hashes are required in --require-hashes mode"),
        (a_wheel_with_other_bytes, "DO NOT MATCH THE HASHES"),
        (a_dependency_with_the_apps_name, "a dependency has a shared of its own, which may hide the app's"),
        (tests_beside_the_app, "tests would be in the package: add it to .funcignore"),
        (the_app_left_out, "services is missing in the package: it isn't committed, or .funcignore names it"),
    ],
)
def test_what_must_not_be_deployed_is_refused_by_name(checkout: Path, fault: Any, complaint: str) -> None:
    fault(checkout)
    commit_all(checkout, "all")

    done = make(checkout)

    assert done.returncode == 1
    assert complaint in done.stderr
    assert not (checkout / "dist" / "orderflow.zip").exists()


def test_what_this_repository_has_beside_the_app_is_in_funcignore() -> None:
    def listed(*options: str) -> set[str]:
        files = subprocess.run(["git", "ls-files", *options], cwd=ROOT, capture_output=True, text=True, check=True)
        return set(files.stdout.splitlines())

    left = listed() - listed("--cached", "--ignored", "--exclude-from=.funcignore")

    assert {file.partition("/")[0] for file in left} == APP


INDEX = """
import asyncio, json, sys
from pathlib import Path

package, tool = sys.argv[1:]
sys.path += [f"{package}/.python_packages/lib/site-packages", package, tool]
import worker

async def main():
    functions = await worker.load(Path(package))
    (live,) = [each for each in functions if each.name.endswith("_live")]
    parts = {"method": "GET", "url": "http://host/api/health", "body": ""}
    request = worker.http_request(
        **{name: worker.text(value) for name, value in parts.items()}, headers={}, query={}, params={}
    )
    answer = await worker.invoke(live, request)
    files = [module.__file__ for module in list(sys.modules.values()) if getattr(module, "__file__", None)]
    print(json.dumps([[each.name for each in functions], json.loads(answer.value["body"].value), files]))

asyncio.run(main())
"""


def indexed(folder: Path, context: str) -> Any:
    """What Microsoft's worker library finds in the package, with nothing but the package and the standard library: the
    functions, the answer of the context's liveness, every file that was imported."""
    settings = environment(context) | {"ORDERFLOW_SERVICES": context}
    tool = folder.with_name("tool")
    tool.mkdir(exist_ok=True)
    shutil.copy(ROOT / "local" / "functions_host" / "worker.py", tool)
    run = subprocess.run(
        [sys.executable, "-I", "-S", "-c", INDEX, folder, tool],
        cwd="/",
        env=settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.mark.long
def test_the_package_of_this_commit_runs_each_context_by_itself_and_is_the_same_when_made_again(tmp_path: Path) -> None:
    subprocess.run(["git", "clone", "-q", ROOT, tmp_path / "clone"], check=True)
    file, folder = tmp_path / "clone" / "dist" / "orderflow.zip", tmp_path / "package"

    done = package(tmp_path / "clone")
    assert done.returncode == 0, done.stderr
    first = file.read_bytes()
    with zipfile.ZipFile(file) as zipped:
        zipped.extractall(folder)

    release = json.loads((folder / "release.json").read_text())
    assert (folder / "openapi.json").read_bytes() == (ROOT / "openapi.json").read_bytes()
    page = {each.name for each in (folder / "services" / "catalog" / "static").iterdir()}
    assert {"docs.html", "docs.js", "swagger-ui-bundle.js", "swagger-ui.css", "LICENSE", "NOTICE"} <= page
    for context in CONTEXTS:
        functions, live, files = indexed(folder, context)
        assert f"{context}_sweep" in functions
        assert all(name.startswith(context) for name in functions if name.endswith(("_live", "_sweep", "_dead")))
        assert live == {"status": "live", **release}
        known = (str(folder), os.path.dirname(os.__file__))
        assert [Path(each).name for each in files if not each.startswith(known)] == ["worker.py"]
    assert package(tmp_path / "clone", PYTHONHASHSEED="7", TZ="Asia/Tokyo").returncode == 0
    assert file.read_bytes() == first

"""What `scripts/setup` and its companions promise, in small checkouts of their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PYTHON = Path(sys.base_prefix, "bin", "python3.13")
SAYS_WHO_RUNS = "import sys\nprint(*sys.argv[:2], *sys.argv[3:], sys.executable)\n"
NODE_LOCK = "tests/e2e/clients/package-lock.json"
SUM_OF_NOTHING = subprocess.run(["cksum"], input="", capture_output=True, text=True, check=True).stdout.strip()


def put(path: Path, script: str) -> Path:
    """An executable shell script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose environment is only said to be made; `bin` beside it is all of its PATH."""
    checkout = tmp_path / "checkout"
    (checkout / "scripts").mkdir(parents=True)
    shutil.copy(ROOT / "scripts" / "setup", checkout / "scripts")
    (checkout / "scripts" / "make_venv.py").write_text(SAYS_WHO_RUNS)
    (checkout / "requirements-dev.txt").touch()
    (checkout / "requirements-tools.txt").touch()
    (checkout / "requirements-clients.txt").touch()
    (checkout / "tests" / "e2e" / "clients").mkdir(parents=True)
    (checkout / "tests" / "e2e" / "clients" / "package-lock.json").touch()
    (tmp_path / "bin").mkdir()
    for name in ("bash", "cat", "cksum", "dirname", "ls"):
        (tmp_path / "bin" / name).symlink_to(str(shutil.which(name)))
    put(tmp_path / "bin" / "python3.13", "echo 'pyenv: python3.13: command not found' >&2; exit 127")
    return checkout


def set_up(checkout: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run `scripts/setup` from another folder."""
    return subprocess.run(
        [checkout / "scripts" / "setup", *options],
        cwd="/",
        env={"PATH": str(checkout.parent / "bin"), "HOME": str(checkout.parent)},
        capture_output=True,
        text=True,
        check=False,
    )


def on_path(home: Path) -> None:
    put(home / "bin" / "python3", f'exec {PYTHON} "$@"')


def under_pyenv(home: Path) -> None:
    put(home / "bin" / "pyenv", f"echo {home}/somewhere")
    put(home / "somewhere" / "versions" / "3.13.9" / "bin" / "python3.13", f'exec {PYTHON} "$@"')


def under_pyenv_off_path(home: Path) -> None:
    put(home / ".pyenv" / "versions" / "3.13.0" / "bin" / "python3.13", f'exec {PYTHON} "$@"')


def through_uv(home: Path) -> None:
    put(home / "bin" / "uv", f'[ "$2" = find ] && echo {PYTHON}')


def through_uv_after_it_installed_it(home: Path) -> None:
    put(
        home / "bin" / "uv",
        f'case "$2" in install) : >{home}/there ;; find) [ -e {home}/there ] && echo {PYTHON} ;; esac',
    )


@pytest.mark.parametrize(
    "place", [on_path, under_pyenv, under_pyenv_off_path, through_uv, through_uv_after_it_installed_it]
)
def test_python_is_found_past_a_shim_that_fails(checkout: Path, place: Callable[[Path], None]) -> None:
    place(checkout.parent)

    done = set_up(checkout)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["scripts/make_venv.py", ".venv", "requirements-dev.txt", str(PYTHON)]


def test_without_a_fitting_python_one_line_says_what_to_do(checkout: Path) -> None:
    put(checkout.parent / "bin" / "python3", "exit 1")

    done = set_up(checkout)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("setup: no Python 3.13")
    assert done.stderr.count("\n") == 1


def test_the_tools_have_an_environment_and_a_lock_file_of_their_own(checkout: Path) -> None:
    on_path(checkout.parent)
    put(checkout / ".venv" / "bin" / "python", "exit 1")
    (checkout / ".venv" / "stamp").write_text(f"{checkout} {SUM_OF_NOTHING}")

    done = set_up(checkout, "--tools")

    assert done.stdout.split() == ["scripts/make_venv.py", ".tools", "requirements-tools.txt", str(PYTHON)]


def test_those_who_make_clients_have_packages_of_npm_too(checkout: Path) -> None:
    on_path(checkout.parent)

    done = set_up(checkout, "--clients")

    locks = ["requirements-clients.txt", NODE_LOCK]
    assert done.stdout.split() == ["scripts/make_venv.py", ".clients", *locks, str(PYTHON)]


@pytest.mark.parametrize(
    ("environment", "packages", "options"),
    [
        (".venv", "requirements-dev.txt", []),
        (".tools", "requirements-tools.txt", ["--tools"]),
        (".clients", "requirements-clients.txt", ["--clients"]),
        (".clients", NODE_LOCK, ["--clients"]),
    ],
)
def test_an_environment_that_fits_is_left_as_it_is(
    checkout: Path, environment: str, packages: str, options: list[str]
) -> None:
    put(checkout / environment / "bin" / "python", "exit 1")
    (checkout / environment / "stamp").write_text(f"{checkout} {SUM_OF_NOTHING}")

    assert set_up(checkout, *options).returncode == 0

    (checkout / packages).write_text("changed")
    assert set_up(checkout, *options).returncode == 1


def make_venv(checkout: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the real thing that `scripts/setup` hands over to."""
    return subprocess.run(
        [PYTHON, ROOT / "scripts" / "make_venv.py", ".venv", "the stamp", "requirements-dev.txt"],
        cwd=checkout,
        env={**os.environ, "PIP_NO_INDEX": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_a_compiler_nothing_is_begun_that_needs_one(checkout: Path) -> None:
    (checkout / "requirements-dev.txt").write_text(pin("python-qpid-proton", "0.40.0"))

    done = make_venv(checkout, CC="/no/such/cc -O2")

    assert done.returncode == 1
    assert "needs a C compiler (/no/such/cc: " in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (checkout / ".venv").exists()


def test_an_environment_that_could_not_be_filled_is_made_anew(checkout: Path) -> None:
    lock = checkout / "requirements-dev.txt"
    lock.write_text(f"no-such-package==1 --hash=sha256:{'0' * 64}\n")
    assert make_venv(checkout).returncode == 1
    assert not (checkout / ".venv" / "stamp").exists()

    (checkout / ".venv" / "rest").touch()
    lock.write_text("")
    assert make_venv(checkout).returncode == 0

    assert (checkout / ".venv" / "stamp").read_text() == "the stamp"
    assert not (checkout / ".venv" / "rest").exists()


def check_locks(
    folder: Path, *, wanted: str, production: str, development: str, tools: str = "", **node: dict[str, str]
) -> str:
    """What the check says of these files; nothing when all is well."""
    folder.joinpath("requirements.in").write_text(wanted)
    folder.joinpath("requirements-dev.in").write_text("-r requirements.in\n")
    folder.joinpath("requirements.txt").write_text(production)
    folder.joinpath("requirements-dev.txt").write_text(development)
    folder.joinpath("requirements-tools.in").touch()
    folder.joinpath("requirements-tools.txt").write_text(tools)
    folder.joinpath("requirements-clients.in").touch()
    folder.joinpath("requirements-clients.txt").touch()
    folder.joinpath(NODE_LOCK).parent.mkdir(parents=True)
    folder.joinpath(NODE_LOCK).write_text(json.dumps({"packages": {"": {}} | node}))
    return subprocess.run(
        [sys.executable, ROOT / "scripts" / "check_locks.py"], cwd=folder, capture_output=True, text=True, check=False
    ).stderr


def pin(name: str, version: str) -> str:
    """A pin as pip-compile writes it."""
    return f"{name}=={version} \\\n    --hash=sha256:{'0' * 64}\n    # via -r requirements.in\n"


def test_lock_files_that_fit_are_in_order(tmp_path: Path) -> None:
    both = pin("some-package", "2.1") + pin("another", "1")

    older = pin("another", "0.9")

    assert not check_locks(
        tmp_path, wanted="Some_Package[x]>=2  # why\n", production=both, development=both, tools=older
    )


def test_the_tools_lock_file_is_looked_into_too(tmp_path: Path) -> None:
    said = check_locks(tmp_path, wanted="", production="", development="", tools="a==1\n")

    assert said.startswith("requirements-tools.txt has a line that is no hashed pin\n")


@pytest.mark.parametrize(
    ("wanted", "production", "development", "complaint"),
    [
        ("a>=2", pin("a", "1"), pin("a", "1"), "requirements.txt pins a to 1, requirements.in wants a>=2"),
        ("a\nb", pin("a", "1"), pin("a", "1"), "requirements.txt pins b to None, requirements.in wants b"),
        ("a", pin("a", "1"), pin("a", "2"), "a is 1 in production and 2 in development"),
        ("a", pin("a", "1"), "a==1\n", "requirements-dev.txt has a line that is no hashed pin"),
        ("a", "--index-url https://x/\n", pin("a", "1"), "requirements.txt names a download address"),
    ],
)
def test_a_lock_file_that_does_not_fit_is_named(
    tmp_path: Path, wanted: str, production: str, development: str, complaint: str
) -> None:
    said = check_locks(tmp_path, wanted=wanted, production=production, development=development)

    assert complaint in said.splitlines()
    assert "Run scripts/lock" in said.splitlines()[-1]


def test_packages_of_npm_are_locked_with_hashes_and_without_addresses(tmp_path: Path) -> None:
    good, bare, located = {"integrity": "sha512-x"}, {"version": "1"}, {"integrity": "sha512-x", "resolved": "//x/y"}

    said = check_locks(tmp_path, wanted="", production="", development="", good=good, bare=bare, located=located)

    assert said.splitlines()[:-1] == [
        f"{NODE_LOCK} has no hash of bare",
        f"{NODE_LOCK} names a download address, of located",
    ]

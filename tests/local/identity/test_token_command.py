"""`scripts/local token`."""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jwt
import pytest
from typer.testing import CliRunner, Result

from local.__main__ import app
from local.identity import issuer
from tests.processes import ROOT

ADDRESS = "http://127.0.0.1:20000"


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state folder of a stack that has been started."""
    folder = tmp_path_factory.mktemp("state")
    issuer.write(folder, issuer.Issuer(ADDRESS, [issuer.new_key()]))
    return folder


def run(state: Path, *options: str) -> Result:
    return CliRunner().invoke(app, ["token", *options, "--state", str(state)])


def claims(token: str) -> dict[str, Any]:
    found: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return found


@pytest.mark.parametrize(
    ("options", "subject", "role"),
    [
        (["--role", "customer", "--customer", "17850"], "17850", "customer"),
        (["--role", "customer", "--guest", "ada"], "guest-ada", "customer"),
        (["--role", "customer", "--guest", "guest-ada"], "guest-guest-ada", "customer"),
        (["--role", "warehouse"], "warehouse", "warehouse"),
        (["--role", "operations"], "operations", "operations"),
        (["--role", "support"], "support", "support"),
        (["--role", "admin"], "admin", "admin"),
        (["--role", "admin", "--subject", "Grace Hopper"], "Grace Hopper", "admin"),
    ],
)
def test_a_token_speaks_for_whom_it_is_asked_to(state: Path, options: Sequence[str], subject: str, role: str) -> None:
    done = run(state, *options)

    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1
    told = claims(done.stdout.strip())
    assert (told["iss"], told["aud"], told["sub"], told["roles"]) == (ADDRESS, "orderflow", subject, [role])
    assert told["exp"] == told["nbf"] + 3600 == told["iat"] + 3600


@pytest.mark.parametrize("seconds", [1, 604_800, 0, -60])
def test_a_token_is_good_for_as_long_as_it_is_asked_to(state: Path, seconds: int) -> None:
    told = claims(run(state, "--role", "admin", "--expires", str(seconds)).stdout.strip())

    assert told["exp"] - told["iat"] == seconds
    assert abs(told["iat"] - time.time()) < 5


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ([], "Missing option '--role'"),
        (["--role", "owner"], "'owner' is not one of 'customer', 'warehouse', 'operations', 'support',"),
        (["--role", "customer"], "one of --customer ID and --guest NAME"),
        (["--role", "customer", "--customer", "1", "--guest", "ada"], "one of --customer ID and --guest NAME"),
        (["--role", "customer", "--subject", "ada"], "--subject: is for staff"),
        (["--role", "customer", "--customer", "1", "--subject", "ada"], "--subject: is for staff"),
        (["--role", "customer", "--customer", "guest-ada"], "say --guest ada"),
        (["--role", "customer", "--customer", ""], "--customer: takes 1 to 200 printable characters"),
        (["--role", "customer", "--customer", "x" * 201], "--customer: takes 1 to 200 printable characters"),
        (["--role", "customer", "--guest", ""], "--guest: takes 1 to 194 printable characters"),
        (["--role", "customer", "--guest", "a\nb"], "--guest: takes 1 to 194 printable characters"),
        (["--role", "warehouse", "--customer", "1"], "--customer: is for --role customer"),
        (["--role", "support", "--guest", "ada"], "--guest: is for --role customer"),
        (["--role", "admin", "--subject", ""], "--subject: takes 1 to 200 printable characters"),
        (["--role", "admin", "--expires", "soon"], "should be a valid integer"),
        (["--role", "admin", "--expires", "604801"], "less than or equal to 604800"),
        (["--role", "admin", "--expires", "-86401"], "greater than or equal to -86400"),
    ],
)
def test_options_that_dont_go_together_are_refused(state: Path, options: Sequence[str], complaint: str) -> None:
    done = run(state, *options)

    assert (done.exit_code, done.stdout) == (2, "")
    assert complaint in done.stderr


def test_without_a_stack_it_says_how_to_start_one(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "local", "token", "--role", "admin", "--state", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"No stack runs with the state folder {tmp_path}: start one with scripts/run\n"

"""What a person gets wrong is told in a line that says what to do, and never in a traceback."""

import fcntl
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from local import topology
from local.__main__ import app
from local.part import key_of
from local.state import StackError, hold

_SALES = (
    "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
    "1,A,Mug,1,2010-12-01 08:26,1.00,1,United Kingdom\n"
)
_STACK = {"api": "http://127.0.0.1:9/api", "currency": "GBP", "parts": []}


def _run(state: Path, *command: str) -> Result:
    return CliRunner().invoke(app, [*command, "--state", str(state)])


def _told(done: Result) -> tuple[int, str]:
    """The exit status, and the one line that was told; a traceback would be an exception of the command's own."""
    assert isinstance(done.exception, SystemExit), done.exception
    [line] = done.stderr.splitlines()
    return done.exit_code, line


@pytest.fixture
def sales(tmp_path: Path) -> Path:
    path = tmp_path / "sales.csv"
    path.write_text(_SALES)
    return path


@pytest.mark.parametrize("folder", ["nowhere", "sales.csv"])
@pytest.mark.parametrize(
    "command",
    [
        ["verify"],
        ["order", "ord_1"],
        ["parked"],
        ["parked", "list"],
        ["settings"],
        ["token", "--role", "admin"],
        ["replay", "sales.csv"],
    ],
    ids=" ".join,
)
def test_where_no_stack_runs_it_is_said_how_to_start_one(
    sales: Path, monkeypatch: pytest.MonkeyPatch, command: Sequence[str], folder: str
) -> None:
    monkeypatch.chdir(sales.parent)
    state = sales.parent / folder

    said = f"No stack runs with the state folder {state}: start one with scripts/run"
    assert _told(_run(state, *command)) == (2, said)


@pytest.mark.parametrize("content", ["{", "[]", "{}", "\0"])
@pytest.mark.parametrize(
    ("name", "command"), [("stack.json", ["verify"]), ("identity/issuer.json", ["token", "--role", "admin"])]
)
def test_a_damaged_file_of_the_state_folder_is_named(
    tmp_path: Path, name: str, command: Sequence[str], content: str
) -> None:
    (tmp_path / "keys.json").write_text("{}")
    (tmp_path / "identity").mkdir()
    (tmp_path / name).write_text(content)

    status, line = _told(_run(tmp_path, *command))

    assert status == 1
    assert line.startswith(f"{tmp_path / name} ")
    assert line.endswith(
        "Start anew with scripts/run --fresh, which forgets all state, or name another folder with --state."
    )


@pytest.mark.parametrize("name", ["keys.json", "ports.json"])
def test_a_stack_does_not_start_on_a_damaged_file(tmp_path: Path, name: str) -> None:
    (tmp_path / ".orderflow").touch()
    (tmp_path / name).write_text("{")

    status, line = _told(_run(tmp_path, "up"))

    assert status == 1
    assert line.startswith(f"{tmp_path / name} can't be read: ")


def test_ports_that_are_none_are_replaced(tmp_path: Path) -> None:
    (tmp_path / ".orderflow").touch()
    (tmp_path / "ports.json").write_text(json.dumps({"a": "20001", "b": 70_000, "c": None}))

    with hold(tmp_path) as folder:
        ports = folder.ports("abc", but=7071)

    assert all(port in range(20_000, 32_768) for port in ports.values())


def test_a_folder_that_somebody_holds_without_saying_who_is_refused(tmp_path: Path) -> None:
    with (tmp_path / ".orderflow").open("w") as mark:
        mark.write("somebody")
        mark.flush()
        fcntl.flock(mark, fcntl.LOCK_EX)

        with pytest.raises(StackError, match="Another stack runs on"), hold(tmp_path, patience=0):
            pass


def test_a_mistake_in_the_topology_keeps_the_stack_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "topology.json").write_text('{"queues": [{"name": "q", "lockDuratoin": "PT1M"}]}')
    monkeypatch.setattr(topology.load, "__defaults__", (tmp_path / "topology.json",))

    done = _run(tmp_path / "state", "up")

    assert _told(done) == (1, "queue 'q': lockDuratoin: unknown field")


def test_one_port_for_two_is_refused(tmp_path: Path) -> None:
    done = _run(tmp_path / "state", "up", "--port", "7071", "--amqp-port", "7071")

    assert done.exit_code == 2
    assert "--amqp-port: 7071 is the API's port" in done.stderr
    assert not (tmp_path / "state").exists()


def test_a_report_that_cannot_be_written_is_refused_before_the_replay(tmp_path: Path, sales: Path) -> None:
    (tmp_path / "stack.json").write_text(json.dumps(_STACK))
    (tmp_path / "keys.json").write_text("{}")

    done = _run(tmp_path, "replay", str(sales), "--report", str(sales / "report.json"))

    status, line = _told(done)
    assert status == 2
    assert str(sales) in line
    assert not (tmp_path / "replay").exists()


def test_a_part_that_finds_no_key_says_so(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="No stack runs with the state folder"):
        key_of(tmp_path, "cosmos")

    (tmp_path / "keys.json").write_text('{"paymentProvider": "sk_test"}')

    with pytest.raises(SystemExit, match=r"keys\.json is no object with cosmos"):
        key_of(tmp_path, "cosmos")
    assert key_of(tmp_path, "paymentProvider") == "sk_test"

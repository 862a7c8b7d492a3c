"""What starting, watching and ending a stack promises, on a stack of two small parts."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from local import topology
from local.stack import shop_currency, stack_of
from local.state import StackError, hold
from tests.local.small_stack import Wish

HERE = Path(__file__).parent
DEADLINE = 30.0


def wait_until[T](what: Callable[[], T], reason: str) -> T:
    """The first answer that is true."""
    deadline = time.monotonic() + DEADLINE
    while not (answer := what()):
        assert time.monotonic() < deadline, reason
        time.sleep(0.02)
    return answer


def lives(process: int) -> bool:
    """Whether a process is there; one that only waits to be collected is not."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{process}/stat")
    return not (status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z")


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack that runs in a process of its own."""

    state: Path
    process: subprocess.Popen[str]

    def told(self) -> dict[str, Any]:
        """stack.json, as soon as it is there."""
        file = self.state / "stack.json"
        wait_until(lambda: file.exists() or self.process.poll() is not None, "the stack never became ready")
        told: dict[str, Any] = json.loads(file.read_text())
        return told

    def part(self, name: str) -> dict[str, Any]:
        """What stack.json says of a part."""
        return next(part for part in self.told()["parts"] if part["name"] == name)

    def processes(self) -> list[int]:
        """Every process of the stack but its supervisor."""
        return [part["pid"] for part in self.told()["parts"]]

    def has_another(self, name: str, process: int) -> bool:
        """Whether the part runs as another process than this one."""
        return bool(self.part(name)["pid"] != process)

    def hears(self, text: str) -> None:
        """Wait for a line of the supervisor's output with this text."""
        assert self.process.stdout is not None
        assert any(text in line for line in self.process.stdout)

    def end(self, how: signal.Signals | None = None) -> tuple[int, str, str]:
        """Send a signal, if any, and wait: exit status, output, errors."""
        if how is not None:
            self.process.send_signal(how)
        output, errors = self.process.communicate(timeout=DEADLINE)
        return self.process.returncode, output, errors


type Start = Callable[..., Stack]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def start(state: Path) -> Iterator[Start]:
    started: list[Stack] = []

    def start_one(**wish: Any) -> Stack:
        paths = os.pathsep.join([str(HERE), str(HERE.parent.parent)])
        process = subprocess.Popen(
            [sys.executable, HERE / "small_stack.py", json.dumps(asdict(Wish(str(state), **wish)))],
            env={**os.environ, "PYTHONPATH": paths},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(Stack(state, process))
        return started[-1]

    yield start_one
    for stack in started:
        if stack.process.poll() is None:
            stack.end(signal.SIGKILL)


def test_a_ready_stack_says_where_everything_is(start: Start, state: Path) -> None:
    stack = start()

    told = stack.told()

    assert (told["api"], told["state"], told["supervisor"]) == ("http://api", str(state), stack.process.pid)
    assert told["currency"] == "GBP"
    assert [part["name"] for part in told["parts"]] == ["store", "shop"]
    assert [httpx.get(part["address"]).json()["pid"] for part in told["parts"]] == stack.processes()
    assert stack.end(signal.SIGTERM)[1].startswith("Ready: http://api\n")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_parts_in_reverse_and_leaves_nothing(start: Start, state: Path, how: signal.Signals) -> None:
    stack = start()
    processes = stack.processes()

    status, _, errors = stack.end(how)

    assert (status, errors) == (0, "")
    assert not any(lives(process) for process in processes)
    assert (state / "ended").read_text().split() == ["shop", "store"]
    assert not (state / "stack.json").exists()


def test_a_part_that_does_not_end_when_asked_is_killed(start: Start) -> None:
    stack = start(shop="clings")
    processes = stack.processes()

    status, _, _ = stack.end(signal.SIGTERM)

    assert status == 0
    assert not any(lives(process) for process in processes)


def test_without_restart_a_part_that_dies_ends_the_stack(start: Start, state: Path) -> None:
    stack = start()
    processes = stack.processes()

    os.kill(stack.part("store")["pid"], signal.SIGKILL)
    status, _, errors = stack.end()

    assert status == 1
    assert errors.startswith("store ended, and the stack with it (--restart would start it again): killed by SIGKILL.")
    assert f"{state}/logs/store.log" in errors
    assert "store says hello" in errors
    assert not any(lives(process) for process in processes)


def test_with_restart_a_part_that_dies_comes_back_where_it_was_however_often(start: Start) -> None:
    stack = start(restart=True)
    before = stack.told()

    for _ in range(3):
        killed = stack.part("store")["pid"]
        os.kill(killed, signal.SIGKILL)
        wait_until(partial(stack.has_another, "store", killed), "the part was not started again")

    again = stack.part("store")
    assert wait_until(lambda: says_ready(again["address"]), "the part does not answer again") == again["pid"]
    assert again["address"] == before["parts"][0]["address"]
    assert stack.part("shop") == before["parts"][1]
    assert stack.end(signal.SIGTERM)[0] == 0


def says_ready(address: str) -> int | None:
    """The process that answers there, if any."""
    try:
        return int(httpx.get(address).json()["pid"])
    except httpx.TransportError:
        return None


def test_no_part_outlives_a_supervisor_that_is_killed_and_the_next_stack_finds_its_ports(start: Start) -> None:
    killed = start()
    before, processes = killed.told()["parts"], killed.processes()

    killed.end(signal.SIGKILL)
    again = start()
    wait_until(lambda: again.told()["supervisor"] == again.process.pid, "the second stack never became ready")

    assert not any(lives(process) for process in processes)
    assert [part["address"] for part in again.told()["parts"]] == [part["address"] for part in before]


def test_a_second_stack_on_the_same_state_is_refused(start: Start, state: Path) -> None:
    first = start()
    first.told()

    status, _, errors = start().end()

    assert status == 1
    assert errors == (
        f"Another stack runs on {state} (process {first.process.pid}): end it, or name another --state.\n"
    )
    assert all(lives(process) for process in first.processes())


def test_a_part_that_ends_while_starting_is_named_with_the_end_of_its_log(start: Start) -> None:
    status, output, errors = start(shop="breaks").end()

    assert (status, output) == (1, "")
    assert errors.startswith("shop ended before the stack was ready: exit status 3.")
    assert errors.endswith("  shop says hello\n")


def test_a_part_that_never_becomes_ready_is_named(start: Start, state: Path) -> None:
    status, output, errors = start(shop="dawdles").end()

    assert (status, output) == (1, "")
    assert errors.startswith(f"shop did not become ready within 3 seconds. Its log, {state}/logs/shop.log, ends:\n")


@pytest.mark.parametrize(("errand", "status"), [("succeeds", 0), ("fails", 3)])
def test_a_stack_that_ends_with_its_errand_ends_with_its_status(start: Start, errand: str, status: int) -> None:
    assert start(errand=errand, then_end=True).end()[0] == status


def test_a_stack_serves_on_after_its_errand(start: Start) -> None:
    stack = start(errand="fails")
    stack.hears("the stack goes on")

    assert all(lives(process) for process in stack.processes())
    assert stack.end(signal.SIGTERM)[0] == 0


def test_an_errand_that_is_cut_short_is_no_success(start: Start) -> None:
    stack = start(errand="lasts", then_end=True)
    stack.hears("errand goes")

    assert stack.end(signal.SIGTERM)[0] == 130


def test_keys_are_made_once_and_only_their_owner_may_read_them(state: Path) -> None:
    with hold(state) as folder:
        keys = folder.keys(["catalog"])
        more = folder.keys(["catalog", "orders"])

    assert more["cosmos"]["catalog"] == keys["cosmos"]["catalog"]
    assert more["serviceBus"].keys() == {"operator", "catalog", "orders"}
    assert more["paymentProvider"].startswith("sk_test_")
    assert json.loads((state / "keys.json").read_text()) == more
    assert (state / "keys.json").stat().st_mode & 0o777 == 0o600


def test_a_port_is_kept_while_it_is_free(state: Path) -> None:
    with hold(state) as folder:
        first = folder.ports(["store", "shop"], but=7071)
        with socket.create_server(("127.0.0.1", first["store"])):
            second = folder.ports(["store", "shop"], but=first["shop"])

    assert second["store"] != first["store"]
    assert second["shop"] not in {first["shop"], second["store"]}
    with hold(state) as folder:
        assert folder.ports(["store", "shop"], but=7071) == second


def test_a_fresh_start_forgets_all_state(state: Path) -> None:
    with hold(state) as folder:
        before = folder.keys(["catalog"])
        (state / "cosmos").mkdir()
        (state / "cosmos" / "data").touch()

    with hold(state, fresh=True) as folder:
        assert {entry.name for entry in state.iterdir()} == {".orderflow", "logs"}
        assert folder.keys(["catalog"]) != before


@pytest.mark.parametrize("fresh", [False, True])
def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path, fresh: bool) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")

    with pytest.raises(StackError, match="is not a state folder"), hold(tmp_path, fresh=fresh):
        pass

    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.txt"]


def up(state: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """The command line itself, where it is to refuse."""
    command = [sys.executable, "-m", "local", "up", "--state", str(state), *options]
    return subprocess.run(command, cwd=HERE.parent.parent, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("option", ["--port", "--amqp-port"])
def test_a_port_in_use_is_refused_in_one_line(state: Path, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.create_server(("127.0.0.1", 0)) as other:
        port, free = taken.getsockname()[1], other.getsockname()[1]
        other.close()
        done = up(state, "--port", str(free), option, str(port))

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"Port {port} is in use: end what listens there, or name another with {option}.\n"


@pytest.mark.parametrize("options", [["--no-such"], ["--replay", __file__, "--no-such"], ["--replay", "no-such.csv"]])
def test_options_that_make_no_sense_are_refused_before_anything_starts(state: Path, options: list[str]) -> None:
    done = up(state, *options)

    assert done.returncode == 2
    assert "no-such" in done.stderr.splitlines()[-1]
    assert not state.exists()


def test_one_host_runs_every_context_at_the_stack_s_own_port(state: Path) -> None:
    with hold(state) as folder:
        stand_ins, (host,) = stack_of(folder, 7071)

    assert [part.name for part in stand_ins] == ["cosmos", "service_bus", "payment_provider", "identity"]
    assert host.address == "http://127.0.0.1:7071/"
    assert host.environment["ORDERFLOW_SERVICES"] == ",".join(topology.load().contexts)


@pytest.mark.parametrize("split", [False, True])
def test_every_host_knows_whose_tokens_are_good_and_that_they_must_be_for_it(state: Path, split: bool) -> None:
    with hold(state) as folder:
        stand_ins, parts = stack_of(folder, 7071, split=split)

    hosts = [part.environment for part in parts if part.name.startswith("functions_host")]
    assert {host["IDENTITY_ISSUER"] for host in hosts} == {stand_ins[-1].address.rstrip("/")}
    assert {host["IDENTITY_AUDIENCE"] for host in hosts} == {"orderflow"}


def test_service_bus_answers_where_it_is_asked_to_and_the_host_is_told(state: Path) -> None:
    with hold(state) as folder:
        stand_ins, (host,) = stack_of(folder, 7071, amqp_port=5672)

    assert stand_ins[1].address == "sb://127.0.0.1:5672"
    assert host.environment["SERVICEBUS_ORDERS"].startswith("Endpoint=sb://127.0.0.1:5672;")


def test_what_the_environment_sets_wins_over_the_stacks_own_settings(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {
        "SHOP_CURRENCY": "JPY",
        "IDENTITY_ISSUER": "https://login.example",
        "IDENTITY_AUDIENCE": "shop",
        "PAYMENT_PROVIDER_ADDRESS": "https://payments.example",
        "PAYMENT_PROVIDER_KEY": "sk_test_1",
        "OPERATIONS_ADDRESSES": "orders=https://orders.example",
        "OPERATIONS_CLIENT_SECRET": "a-secret",
    }
    of_the_stores = ("COSMOS_DATABASE", "COSMOS_ORDERS", "SERVICEBUS_ORDERS", "ORDERFLOW_SERVICES")
    for name, value in (given | dict.fromkeys(of_the_stores, "another")).items():
        monkeypatch.setenv(name, value)

    with hold(state) as folder:
        _, (host,) = stack_of(folder, 7071)

    assert {name: host.environment[name] for name in given} == given
    assert shop_currency() == "JPY"
    assert [name for name in of_the_stores if host.environment[name] == "another"] == []  # the stand-ins have no other


def test_split_hosts_are_told_their_own_connections_alone_and_the_gateway_where_they_are(state: Path) -> None:
    with hold(state) as folder:
        _, (*hosts, gateway) = stack_of(folder, 7071, split=True)

    told = {host.environment["ORDERFLOW_SERVICES"]: host.environment for host in hosts}
    assert list(told) == list(topology.load().contexts)
    with_a_key = {name for name, value in told["orders"].items() if "Key=" in value}
    assert with_a_key == {"COSMOS_ORDERS", "SERVICEBUS_ORDERS"}
    assert [context for context in told if "PAYMENT_PROVIDER_KEY" in told[context]] == ["payments"]
    assert gateway.address == "http://127.0.0.1:7071/"
    assert [f"--host={host.address.rstrip('/')}" for host in hosts] == list(gateway.command[5:])

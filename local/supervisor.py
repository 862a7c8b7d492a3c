"""Starts the parts of a stack, watches them, and ends them: one loop, no threads.

Every part runs in a process group of its own, so that a Ctrl-C at the terminal reaches the supervisor alone,
which ends the parts in their order; and under `local.part`, so that none outlives the supervisor.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import httpx

from local.state import StackError, StateFolder

REPOSITORY = Path(__file__).resolve().parent.parent

_POLL = 0.05
_TAIL = 15


@dataclass(frozen=True, slots=True)
class Part:
    """A process of the stack. Once it serves, `health` says `"status": "ready"` or `"state": "Running"`."""

    name: str
    command: Sequence[str]
    """A module and its arguments."""
    address: str
    health: str
    control: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Running:
    part: Part
    process: subprocess.Popen[bytes]
    started: float
    delay: float = 0.0
    """How long to wait before the next start, in seconds."""
    ended: float | None = None


@dataclass(slots=True)
class Supervisor:
    """Runs one stack: groups of parts, each started when the one before it serves, and ended in reverse.

    `patience` is how long a part may take to serve, `grace` how long to end, in seconds; `currency` is only passed on.
    """

    folder: StateFolder
    api: str
    groups: Sequence[Sequence[Part]]
    say: Callable[[str], None]
    restart: bool = False
    currency: str = "GBP"
    patience: float = 120.0
    grace: float = 40.0
    _running: dict[str, _Running] = field(default_factory=dict)
    _errand: subprocess.Popen[bytes] | None = None
    _signals: int = 0

    def run(self, errand: Sequence[str] = (), *, then_end: bool = False) -> int:
        """Start everything, run the errand, if any (a module and its arguments), serve until a signal comes.

        Answers with the exit status: 0, or the errand's if the stack is to end with it (130 when a signal
        came first). StackError when a part doesn't start, or ends and isn't to be started again. However
        this ends, nothing that it started is left running.
        """
        before = {each: signal.signal(each, self._on_signal) for each in (signal.SIGINT, signal.SIGTERM)}
        try:
            for group in self.groups:
                self._start(group)
                if self._signals:
                    return 0
            self._write_stack()
            self._announce()
            return self._serve(errand, then_end=then_end)
        finally:
            self._end()
            for each, handler in before.items():
                signal.signal(each, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._signals += 1

    def _start(self, group: Sequence[Part]) -> None:
        for part in group:
            self._running[part.name] = _Running(part, self._launch(part), time.monotonic())
        deadline = time.monotonic() + self.patience
        waiting = list(group)
        with httpx.Client(trust_env=False, timeout=2.0) as client:
            while waiting and not self._signals:
                for running in self._running.values():
                    self._refuse_if_ended(running, "ended before the stack was ready")
                waiting = [part for part in waiting if not _serves(client, part)]
                if waiting and time.monotonic() > deadline:
                    raise self._fault(waiting[0], f"did not become ready within {self.patience:g} seconds")
                time.sleep(_POLL)

    def _launch(self, part: Part) -> subprocess.Popen[bytes]:
        with self.folder.log(part.name).open("ab" if part.name in self._running else "wb") as log:
            return self._spawn(part.command, part.environment, log.fileno(), REPOSITORY)

    def _spawn(
        self, command: Sequence[str], environment: Mapping[str, str], output: int | None, cwd: Path | None
    ) -> subprocess.Popen[bytes]:
        path = os.pathsep.join([str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])])
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "local.part", *command],
            env={**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", **environment},
            cwd=cwd,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            process_group=0,
            pass_fds=[self.folder.lock],
        )

    def _serve(self, errand: Sequence[str], *, then_end: bool) -> int:
        status = 0
        if errand and not self._signals:
            self._errand = self._spawn(errand, {}, None, None)
        while not self._signals:
            for running in self._running.values():
                self._watch(running)
            if self._errand is not None and (code := self._errand.poll()) is not None:
                status = code if code >= 0 else 128 - code
                _close(self._errand)
                self._errand = None
                self.say(f"{errand[1]} ended with status {status}; the stack " + ("ends" if then_end else "goes on"))
            if self._errand is None and then_end:
                return status
            time.sleep(_POLL)
        return 130 if self._errand is not None and then_end else 0

    def _watch(self, running: _Running) -> None:
        if not self.restart:
            self._refuse_if_ended(running, "ended, and the stack with it (--restart would start it again)")
        now = time.monotonic()
        if running.process.poll() is None:
            return
        if running.ended is None:
            # One that lived starts again at once; one that keeps ending waits longer each time.
            running.delay = 0.0 if now - running.started > 5.0 else min(max(0.1, running.delay * 2), 5.0)
            running.ended = now
        if now - running.ended >= running.delay:
            how = _how(running.process.returncode)
            _close(running.process)
            running.process, running.started, running.ended = self._launch(running.part), now, None
            self._write_stack()
            self.say(f"{running.part.name} ended ({how}): started again as process {running.process.pid}")

    def _refuse_if_ended(self, running: _Running, what: str) -> None:
        if running.process.poll() is not None:
            raise self._fault(running.part, f"{what}: {_how(running.process.returncode)}")

    def _fault(self, part: Part, what: str) -> StackError:
        log = self.folder.log(part.name)
        tail = log.read_text(errors="replace").splitlines()[-_TAIL:]
        return StackError("\n  ".join([f"{part.name} {what}. Its log, {log}, ends:", *(tail or ["(nothing)"])]))

    def _write_stack(self) -> None:
        parts = [
            {"name": name, "pid": running.process.pid, "address": running.part.address}
            | ({"control": running.part.control} if running.part.control else {})
            for name, running in self._running.items()
        ]
        told = {"api": self.api, "currency": self.currency, "state": str(self.folder.path), "supervisor": os.getpid()}
        self.folder.write_stack(told | {"parts": parts})

    def _announce(self) -> None:
        self.say(f"Ready: {self.api}")
        for name, running in self._running.items():
            control = f", {running.part.control}" if running.part.control else ""
            self.say(f"  {name:<26}{running.part.address}{control} (process {running.process.pid})")
        self.say(f"  {'state, logs':<26}{self.folder.path}")

    def _end(self) -> None:
        if self._errand is not None:
            self._end_together([self._errand], signal.SIGINT)
        for group in reversed(self.groups):
            started = [self._running[part.name].process for part in group if part.name in self._running]
            self._end_together(started, signal.SIGTERM)

    def _end_together(self, processes: Sequence[subprocess.Popen[bytes]], how: signal.Signals) -> None:
        """Ask, wait, and in the end insist; a second signal from outside means at once."""
        for process in processes:
            process.send_signal(how)
        deadline = time.monotonic() + self.grace
        while any(process.poll() is None for process in processes):
            if time.monotonic() > deadline or self._signals > 1:
                for process in processes:
                    process.kill()
            time.sleep(_POLL)
        for process in processes:
            _close(process)


def _close(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()


def _how(code: int) -> str:
    return f"exit status {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"


def _serves(client: httpx.Client, part: Part) -> bool:
    try:
        said: dict[str, object] = client.get(part.health).raise_for_status().json()
    except httpx.HTTPError:
        return False
    return said.get("status") == "ready" or said.get("state") == "Running"

"""Timer functions. A timer never overlaps itself; an exception is only logged.

As on Azure a monitored timer (`useMonitor`, on by default, off below a minute) remembers when it is due, here in a
file: one that was due while the host was away fires at once, past due.
"""

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from local.functions_host import worker
from local.functions_host.ncrontab import Schedule
from local.functions_host.settings import trigger_of
from local.functions_host.worker import AppRefused, Function
from local.state import write_private

_NEVER = "0001-01-01T00:00:00+00:00"
_LONGEST_SLEEP = 60.0  # the computer's clock may be set meanwhile


class Timer:
    """One timer function."""

    def __init__(self, function: Function, folder: Path) -> None:
        trigger = trigger_of(function)
        try:
            self._schedule = Schedule(trigger["schedule"])
        except ValueError as error:
            raise AppRefused(f"function {function.name}: its schedule {trigger['schedule']!r}: {error}") from error
        self._function, self._status_file = function, folder / f"{function.name}.json"
        self._run_on_startup = trigger.get("runOnStartup", False)
        due = self._schedule.next(datetime.now(UTC))
        is_rare = self._schedule.next(due) - due >= timedelta(minutes=1)
        self._monitored = trigger.get("useMonitor", True) and is_rare

    async def run(self, stop: asyncio.Event) -> None:
        """Fire when it is due, until `stop` is set and what runs has ended."""
        due = datetime.now(UTC)
        status = self._read_status()
        if self._monitored and not status:
            self._write_status(_NEVER, self._schedule.next(due))
        past_due = bool(status) and datetime.fromisoformat(status["Next"]) < due
        if past_due or self._run_on_startup:
            await self._fire(status, past_due)
        while not stop.is_set():
            due = self._schedule.next(max(datetime.now(UTC), due))
            await _until(due, stop)
            if not stop.is_set():
                await self._fire(self._read_status(), past_due=False)

    async def _fire(self, status: Mapping[str, str], past_due: bool) -> None:
        fired = datetime.now(UTC)
        content = {"Schedule": {"AdjustForDST": True}, "ScheduleStatus": status or None, "IsPastDue": past_due}
        with suppress(worker.InvocationFailed):  # logged; it fires again when it is due
            await worker.invoke(self._function, worker.json_of(content))
        if self._monitored:
            self._write_status(fired.isoformat(), self._schedule.next(datetime.now(UTC)))

    def _read_status(self) -> dict[str, str]:
        if not (self._monitored and self._status_file.exists()):
            return {}
        status: dict[str, str] = json.loads(self._status_file.read_text())
        return status

    def _write_status(self, last: str, due: datetime) -> None:
        self._status_file.parent.mkdir(parents=True, exist_ok=True)
        told = {"Last": last, "Next": due.isoformat(), "LastUpdated": datetime.now(UTC).isoformat()}
        write_private(self._status_file, told)


async def _until(time: datetime, stop: asyncio.Event) -> None:
    while not stop.is_set() and (left := (time - datetime.now(UTC)).total_seconds()) > 0:
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), min(left, _LONGEST_SLEEP))

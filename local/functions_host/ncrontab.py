"""NCRONTAB schedules: `{second} {minute} {hour} {day} {month} {day of week}` in UTC; with five fields the second is 0.

Source: learn.microsoft.com, functions-bindings-timer, and the NCrontab library. Unlike in cron, a day must match both
day fields. Names of months and days aren't supported.
"""

import re
from datetime import UTC, datetime, timedelta

_BOUNDS = [(0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 6)]
_PART = re.compile(r"(?:\*|(\d+)(?:-(\d+))?)(?:/(\d+))?")


class Schedule:
    """When a timer fires."""

    def __init__(self, expression: str) -> None:
        """ValueError if it isn't an NCRONTAB expression of five or six fields, or if it never comes true."""
        fields = expression.split()
        if len(fields) not in (5, 6):
            raise ValueError("it doesn't have five or six fields")
        values = [_values(field, *bounds) for field, bounds in zip(["0", *fields][-6:], _BOUNDS, strict=True)]
        self._seconds, self._minutes, self._hours, self._days, self._months, self._weekdays = values
        self.next(datetime.now(UTC))

    def next(self, after: datetime) -> datetime:
        """The first time after this one, to the second."""
        time = after.replace(microsecond=0) + timedelta(seconds=1)
        last = time + timedelta(days=366 * 8)  # from one 29 February to the next, over a year without
        while time < last:
            if not (time.month in self._months and time.day in self._days and time.isoweekday() % 7 in self._weekdays):
                time = time.replace(hour=0, minute=0, second=0) + timedelta(days=1)
            elif time.hour not in self._hours:
                time = time.replace(minute=0, second=0) + timedelta(hours=1)
            elif time.minute not in self._minutes:
                time = time.replace(second=0) + timedelta(minutes=1)
            elif time.second not in self._seconds:
                time += timedelta(seconds=1)
            else:
                return time
        raise ValueError("it never comes true")


def _values(field: str, least: int, most: int) -> frozenset[int]:
    values: set[int] = set()
    for part in field.split(","):
        found = _PART.fullmatch(part)
        if not found:
            raise ValueError(f"{part!r} isn't a value, range or step that is supported")
        first, last, step = (int(number) if number else None for number in found.groups())
        start = least if first is None else first
        end = last if last is not None else most if first is None or step else start
        if not least <= start <= end <= most or step == 0:
            raise ValueError(f"{part!r} is out of bounds ({least} to {most})")
        values.update(range(start, end + 1, step or 1))
    return frozenset(values)

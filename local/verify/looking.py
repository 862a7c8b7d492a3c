"""Looks at a running stack until what it sees can be relied upon."""

import asyncio
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import httpx
from azure.core.exceptions import AzureError

from local.verify.invariants import Finding, examine, stock
from local.verify.reading import Reader, reader

HOLDS, BROKEN, NOT_DRAINED = 0, 1, 3

_LOOKS = 3
_BETWEEN_LOOKS = 0.5


def status_of(findings: Iterable[Finding]) -> int:
    """The exit status: broken before not drained before all well."""
    failed = {finding.name for finding in findings if not finding.holds}
    if failed - {"drained"}:
        return BROKEN
    return NOT_DRAINED if failed else HOLDS


async def look(state: Path, wait: float = 0.0) -> list[Finding]:
    """The findings on the stack of this state folder, once it has drained, or after `wait` seconds as it is then.

    Parked messages end the waiting: they don't go by themselves. A part that can't be reached is waited for, too; then
    its error is raised. NoStackError where no stack runs.
    """
    deadline = time.monotonic() + wait
    while True:
        try:
            async with reader(state) as stack:
                findings = await _look(stack)
            if _holds("drained", findings) or not _holds("parked", findings) or time.monotonic() > deadline:
                return findings
        except (AzureError, httpx.HTTPError):
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(_BETWEEN_LOOKS)


def _holds(name: str, findings: Iterable[Finding]) -> bool:
    return all(finding.holds for finding in findings if finding.name == name)


async def _look(stack: Reader) -> list[Finding]:
    """While the system goes on, what is read at different moments may not fit together: only what is wrong each time
    is wrong."""
    findings = await _glance(stack)
    for _ in range(_LOOKS - 1):
        if status_of(findings) != BROKEN or _holds("drained", findings):
            break
        await asyncio.sleep(_BETWEEN_LOOKS)
        again = await _glance(stack)
        at_rest = _holds("drained", again)
        findings = again if at_rest else [confirmed(*pair) for pair in zip(again, findings, strict=True)]
    return findings


async def _glance(stack: Reader) -> list[Finding]:
    began = datetime.now(UTC)
    snapshot = await stack.snapshot()
    if wrong := stock(snapshot).violations:
        snapshot = await stack.with_fresh(snapshot, {_culprit(violation) for violation in wrong})
    return examine(snapshot, began)


def confirmed(now: Finding, before: Finding) -> Finding:
    """What a second look still finds wrong with the same things; what has yet to drain is taken as it is now."""
    if now.name == "drained":
        return now
    suspects = {_culprit(violation) for violation in before.violations}
    violations = [violation for violation in now.violations if _culprit(violation) in suspects]
    return Finding(now.name, not violations, now.checked, violations)


def _culprit(violation: str) -> str:
    return violation.partition(":")[0]

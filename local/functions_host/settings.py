"""Settings and `host.json`, as the host reads them.

The environment wins over `local.settings.json`. `%NAME%` in a binding's strings is the setting NAME. Defaults are those
of the Service Bus extension 5.x and of the host 4.x. `functionTimeout` is not held: a function may run for ever.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.functions_host.worker import AppRefused, Function, log

_HELD = {
    "http": {"routePrefix", "hsts"},  # of HTTPS, which a laptop hasn't
    "serviceBus": {"prefetchCount", "autoCompleteMessages", "maxAutoLockRenewalDuration", "maxConcurrentCalls"},
}


@dataclass(frozen=True, slots=True)
class HostJson:
    """What `host.json` says; the duration in seconds."""

    route_prefix: str
    prefetch_count: int
    concurrent_calls: int
    lock_renewal: float


def read_host_json(folder: Path) -> HostJson:
    """The application's `host.json`; a setting of its HTTP or Service Bus section without effect here is logged."""
    extensions = _read(folder / "host.json").get("extensions", {})
    for section, held in _HELD.items():
        for key in extensions.get(section, {}).keys() - held:
            log.warning("host.json: extensions.%s.%s has no effect on a laptop", section, key)
    bus = extensions.get("serviceBus", {})
    if not bus.get("autoCompleteMessages", True):
        raise AppRefused("host.json: autoCompleteMessages must be true outside C#")
    hours, minutes, seconds = bus.get("maxAutoLockRenewalDuration", "00:05:00").split(":")
    return HostJson(
        route_prefix=extensions.get("http", {}).get("routePrefix", "api").strip("/"),
        prefetch_count=bus.get("prefetchCount", 0),
        concurrent_calls=bus.get("maxConcurrentCalls", 16 * (os.cpu_count() or 1)),
        lock_renewal=(int(hours) * 60 + int(minutes)) * 60 + float(seconds),
    )


def load_local_settings(folder: Path) -> None:
    """Put the values of `local.settings.json`, if there is one, into the environment where it lacks them."""
    content = _read(folder / "local.settings.json")
    if content.get("IsEncrypted"):
        raise AppRefused("local.settings.json is encrypted: run `func settings decrypt`")
    for name, value in content.get("Values", {}).items():
        os.environ.setdefault(name, str(value))


def allowed_origins(folder: Path) -> tuple[list[str], bool]:
    """The origins whose pages may call, by `Host.CORS` of `local.settings.json`, and whether with their cookies."""
    host = _read(folder / "local.settings.json").get("Host", {})
    return [*filter(None, host.get("CORS", "").split(","))], host.get("CORSCredentials", False)


def trigger_of(function: Function) -> dict[str, Any]:
    """The function's trigger, each `%NAME%` in its strings replaced; AppRefused names a setting that is missing."""

    def setting(name: re.Match[str]) -> str:
        if name[1] not in os.environ:
            raise AppRefused(f"function {function.name}: the setting {name[1]} ({name[0]} in its trigger) is missing")
        return os.environ[name[1]]

    trigger = function.trigger.items()
    return {key: re.sub("%([^%]+)%", setting, value) if isinstance(value, str) else value for key, value in trigger}


def _read(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return content

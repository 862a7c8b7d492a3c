"""Settings and `host.json`, as the host reads them.

The environment wins over `local.settings.json`. `%NAME%` in a binding's strings is the setting NAME. Defaults are those
of the Service Bus extension 5.x and of the host 4.x. `functionTimeout` is not held: a function may run for ever.
"""

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
    for name in bus.keys() & {"prefetchCount", "maxConcurrentCalls"}:
        if type(bus[name]) is not int or bus[name] < (name == "maxConcurrentCalls"):
            raise AppRefused(f"host.json: extensions.serviceBus.{name} must be a whole number, but is {bus[name]!r}")
    renewal = re.fullmatch(r"(\d+):(\d\d):(\d\d)", duration := bus.get("maxAutoLockRenewalDuration", "00:05:00"))
    if not renewal:
        name = "extensions.serviceBus.maxAutoLockRenewalDuration"
        raise AppRefused(f"host.json: {name} must be like 00:05:00, but is {duration!r}")
    hours, minutes, seconds = map(int, renewal.groups())
    return HostJson(
        route_prefix=extensions.get("http", {}).get("routePrefix", "api").strip("/"),
        prefetch_count=bus.get("prefetchCount", 0),
        concurrent_calls=bus.get("maxConcurrentCalls", 16 * (os.cpu_count() or 1)),
        lock_renewal=float((hours * 60 + minutes) * 60 + seconds),
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
    try:
        content = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    except ValueError as error:
        raise AppRefused(f"{file.name} isn't JSON: {error}") from None
    if not isinstance(content, dict):
        raise AppRefused(f"{file.name} must be a JSON object")
    return content

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.functions_host import worker
from tests.local.functions_host.running import Host

type StartHost = Callable[..., Host]
type WriteApp = Callable[[str], Path]


@pytest.fixture
def start_host(tmp_path: Path) -> Iterator[StartHost]:
    """Starts hosts of apps in apps/, which end with the test."""
    hosts: list[Host] = []

    def start(app: str | Path, settings: dict[str, str] | None = None) -> Host:
        state = tmp_path / f"state{len(hosts)}"
        state.mkdir()
        hosts.append(Host(app, state, settings or {}))
        return hosts[-1]

    yield start
    for host in hosts:
        host.stop()


@pytest.fixture
def write_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WriteApp]:
    """Writes a function_app.py that this process can load; returns its folder."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(source: str) -> Path:
        sys.modules.pop("function_app", None)
        (tmp_path / "function_app.py").write_text(source)
        return tmp_path

    yield write
    sys.modules.pop("function_app", None)
    worker.unload()

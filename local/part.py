"""Runs a module for as long as the supervisor lives: `python -m local.part MODULE ARGUMENTS…`.

The supervisor holds the other end of standard input and never writes to it. However the supervisor ends,
that pipe ends with it, and this process after it.
"""

from __future__ import annotations

import argparse
import os
import runpy
import signal
import sys
import threading
import time
from pathlib import Path

_GRACE = 40.0


def arguments(usage: str | None) -> tuple[Path, int]:
    """What a part that needs no more is told: the state folder, with keys.json in it, and its port on 127.0.0.1."""
    parser = argparse.ArgumentParser(description=usage)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    told = parser.parse_args()
    return told.state, told.port


def _end_with_the_supervisor() -> None:
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    threading.Thread(target=_end_with_the_supervisor, daemon=True).start()
    runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)

"""Runs a module for as long as the supervisor lives: `python -m local.part MODULE ARGUMENTS…`.

The supervisor holds the other end of standard input and never writes to it. However the supervisor ends,
that pipe ends with it, and this process after it.
"""

import argparse
import os
import runpy
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from local.state import StackError, read_kept

_GRACE = 40.0


def parser(usage: str | None) -> argparse.ArgumentParser:
    """What every part is told: the state folder, with keys.json in it, and its port on 127.0.0.1."""
    made = argparse.ArgumentParser(description=usage)
    made.add_argument("--state", type=Path, required=True, help="the state folder")
    made.add_argument("--port", type=int, required=True, help="on 127.0.0.1")
    return made


def arguments(usage: str | None) -> tuple[Path, int]:
    """The state folder and the port of a part that needs no more."""
    told = parser(usage).parse_args()
    return told.state, told.port


def key_of(state: Path, service: str) -> Any:
    """What opens one of the stand-ins, or its key for each context; ends the process where the folder has none."""
    try:
        return read_kept(state, "keys.json", service)[service]
    except StackError as error:
        sys.exit(str(error))


def _end_with_the_supervisor() -> None:
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    threading.Thread(target=_end_with_the_supervisor, daemon=True).start()
    runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)

"""Runs a module for as long as the supervisor lives: `python -m local.part MODULE ARGUMENTS…`.

The supervisor holds the other end of standard input and never writes to it. However the supervisor ends,
that pipe ends with it, and this process after it.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time

_GRACE = 40.0


def _end_with_the_supervisor() -> None:
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    threading.Thread(target=_end_with_the_supervisor, daemon=True).start()
    runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)

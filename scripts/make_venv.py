"""Makes .venv for `scripts/setup` (which finds the Python that runs this): all of it, or no stamp.

The lock is on the lock file itself and ends with its holders, pip among them, so that two setups at once,
or one after another that was killed, never write into the same folder.
"""

import fcntl
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

VENV = Path(".venv")
STAMP = VENV / "stamp"
LOCK = "requirements-dev.txt"


def missing_for_building() -> list[str]:
    """What a source-only package needs and this machine lacks."""
    missing = []
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")[0]
    # On macOS cc is there, and fails, until the command line tools are installed.
    if (
        not shutil.which(compiler)
        or subprocess.run([compiler, "--version"], capture_output=True, check=False).returncode
    ):
        missing.append(f"a C compiler ({compiler}: 'apt-get install gcc', or on macOS 'xcode-select --install')")
    if not Path(sysconfig.get_paths()["include"], "Python.h").is_file():
        missing.append(f"the headers of {sys.executable} (Python.h: 'apt-get install python3.13-dev')")
    return missing


def make(stamp: str) -> str | None:
    """Makes the environment; answers with what went wrong."""
    with Path(LOCK).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if STAMP.is_file() and STAMP.read_text() == stamp:
            return None
        if missing := missing_for_building():
            return f"python-qpid-proton is built from source and needs {' and '.join(missing)}"
        sys.stderr.write(f"setup: making .venv with {sys.executable}, once; a minute or two …\n")
        if VENV.exists():
            shutil.rmtree(VENV)
        venv.create(VENV, symlinks=True, with_pip=True)
        pip = [str(VENV / "bin/python"), "-m", "pip", "--disable-pip-version-check", "install", "-qq", "--no-input"]
        if subprocess.run([*pip, "--require-hashes", "-r", LOCK], check=False, pass_fds=[lock.fileno()]).returncode:
            return f"pip could not install what {LOCK} lists: see its message above"
        finished = STAMP.with_suffix(".new")
        finished.write_text(stamp)
        finished.replace(STAMP)
        return None


if __name__ == "__main__":
    try:
        fault = make(sys.argv[1])
    except KeyboardInterrupt:
        fault = "interrupted; run it again"
    if fault:
        sys.exit(f"setup: {fault}")

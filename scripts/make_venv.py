"""Makes an environment for `scripts/setup` (which finds the Python that runs this): all of it, or no stamp.

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

BUILT_FROM_SOURCE = "python-qpid-proton"


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


def make(environment: Path, stamp: str, packages: Path, node_packages: Path | None = None) -> str | None:
    """Makes the environment of the locked packages, npm's by the Node among them; answers with what went wrong."""
    finished = environment / "stamp"
    with packages.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if finished.is_file() and finished.read_text() == stamp:
            return None
        if BUILT_FROM_SOURCE in lock.read() and (missing := missing_for_building()):
            return f"{BUILT_FROM_SOURCE} is built from source and needs {' and '.join(missing)}"
        sys.stderr.write(f"setup: making {environment} with {sys.executable}, once; a minute or two …\n")
        if environment.exists():
            shutil.rmtree(environment)
        venv.create(environment, symlinks=True, with_pip=True)
        pip = [str(environment / "bin/python"), "-m", "pip", "--disable-pip-version-check"]
        install = [*pip, "install", "-qq", "--no-input", "--require-hashes", "-r", str(packages)]
        if subprocess.run(install, check=False, pass_fds=[lock.fileno()]).returncode:
            return f"pip could not install what {packages} lists: see its message above"
        if node_packages and _install_node_packages(environment.resolve(), node_packages.parent, lock.fileno()):
            return f"npm could not install what {node_packages} lists: see its message above"
        new = finished.with_suffix(".new")
        new.write_text(stamp)
        new.replace(finished)
        return None


def _install_node_packages(environment: Path, project: Path, lock: int) -> int:
    """Into the environment's node_modules; npm's exit status."""
    for name in ("package.json", "package-lock.json"):
        shutil.copy(project / name, environment)
    # npm is a script, which looks for node on PATH.
    path = f"{environment / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    install = [str(environment / "bin/npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run(
        install, cwd=environment, env=os.environ | {"PATH": path}, stdout=sys.stderr, check=False, pass_fds=[lock]
    )
    return done.returncode


if __name__ == "__main__":
    try:
        fault = make(Path(sys.argv[1]), sys.argv[2], *map(Path, sys.argv[3:]))
    except KeyboardInterrupt:
        fault = "interrupted; run it again"
    if fault:
        sys.exit(f"setup: {fault}")

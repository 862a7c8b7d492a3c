"""Makes dist/orderflow.zip for `scripts/package`: the app of the commit that is checked out, and all that it needs.

The same commit makes the same bytes, on machines with the same Python, pip and zlib: files in order, without times or
owners of their own. The app's files are those that git has and `.funcignore` leaves; the dependencies are the wheels
of requirements.txt for Azure's Python and Linux, whatever machine this is. Both come with bytecode that Python takes as
it is: the folder that an app runs from can't be written to, so that each new instance would compile everything anew.
"""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Mapping
from hashlib import sha256
from importlib.metadata import Distribution, distributions
from io import BytesIO
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PACKAGE = Path("dist/orderflow.zip")
DEPENDENCIES = ".python_packages/lib/site-packages"
MODULES = {"function_app", "services", "shared"}
APP = {"LICENSE", "function_app.py", "host.json", "openapi.json", "requirements.txt", "services", "shared"}
TARGET = {"os_name": "posix", "sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64"}
# The newest is of glibc 2.28, which is older than that of any image of Azure's for this Python.
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
OF_THE_INSTALLATION = {"INSTALLER", "RECORD", "REQUESTED"}
"""What pip notes of installing, such as the hashes of scripts that name this machine's Python."""


class Refused(Exception):
    """There is no package to be made of this commit; the message says why, and what to do."""


def make() -> str:
    """Make the package; answers with what it is."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "package")
        wanted = check_out(folder)
        install(folder)
        if faults := [*misplaced(folder), *unwanted(folder, wanted)]:
            raise Refused("; ".join(faults))
        run(sys.executable, "-m", "compileall", "-q", "--invalidation-mode=unchecked-hash", f"-s{folder}", folder)
        return pack(folder)


def check_out(folder: Path) -> list[Requirement]:
    """Put the app's files into the folder, and the release that they are; the direct dependencies."""
    with tarfile.open(fileobj=BytesIO(run("git", "archive", "HEAD"))) as archive:
        archive.extractall(folder, filter="data")
    version = tomllib.loads((folder / "pyproject.toml").read_text())["project"]["version"]
    lines = [line.split("#")[0].strip() for line in (folder / "requirements.in").read_text().splitlines()]
    index = {"GIT_INDEX_FILE": str(folder.with_name("index"))}
    run("git", "read-tree", "HEAD", environment=index)
    ignoring = ("ls-files", "-z", "--cached", "--ignored", f"--exclude-from={folder / '.funcignore'}")
    for name in run("git", *ignoring, environment=index).decode().split("\0")[:-1]:
        (folder / name).unlink()
    release = {"version": version, "commit": run("git", "rev-parse", "HEAD").decode().strip()}
    (folder / "release.json").write_text(json.dumps(release) + "\n")
    return [Requirement(line) for line in lines if line]


def install(folder: Path) -> None:
    """Put the dependencies into the folder, for Azure's Python and not for this one."""
    site = folder / DEPENDENCIES
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "-qq", "--no-input", "--no-compile")
    wheels = ("--only-binary=:all:", "--python-version=3.13", "--implementation=cp")
    platforms = [f"--platform={platform}" for platform in PLATFORMS]
    run(*pip, "--require-hashes", f"-r{folder / 'requirements.txt'}", f"--target={site}", *wheels, *platforms)
    shutil.rmtree(site / "bin", ignore_errors=True)
    for name in OF_THE_INSTALLATION:
        for note in site.glob(f"*.dist-info/{name}"):
            note.unlink()


def misplaced(folder: Path) -> list[str]:
    """What shouldn't be in the package, and what should be, one line each."""
    found = {path.relative_to(folder).parts[0] for path in folder.rglob("*") if path.is_file()}
    found -= {"release.json", DEPENDENCIES.partition("/")[0]}
    installed = {path.name.removesuffix(".py") for path in (folder / DEPENDENCIES).iterdir()}
    return [
        *(f"{name} would be in the package: add it to .funcignore" for name in sorted(found - APP)),
        *(
            f"{name} is missing in the package: it isn't committed, or .funcignore names it"
            for name in sorted(APP - found)
        ),
        *(f"a dependency has a {name} of its own, which may hide the app's" for name in sorted(installed & MODULES)),
    ]


def unwanted(folder: Path, wanted: list[Requirement]) -> list[str]:
    """The packages that nothing in requirements.in leads to, a development tool say, one line each."""
    installed = {canonicalize_name(each.name): each for each in distributions(path=[str(folder / DEPENDENCIES)])}
    needed: set[tuple[str, str]] = set()
    waiting = list(wanted)
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        for extra in {"", *requirement.extras}:
            if (name, extra) not in needed and name in installed:
                needed.add((name, extra))
                waiting += requirements_of(installed[name], extra)
    extra_ones = sorted(installed.keys() - {name for name, _ in needed})
    return [f"{name} is in requirements.txt, and nothing in requirements.in needs it" for name in extra_ones]


def requirements_of(distribution: Distribution, extra: str) -> list[Requirement]:
    """What a package needs where it runs, and this extra of it."""
    requirements = map(Requirement, distribution.requires or [])
    return [each for each in requirements if not each.marker or each.marker.evaluate(TARGET | {"extra": extra})]


def pack(folder: Path) -> str:
    """Write the package, all of it or none; answers with what it is."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    new = PACKAGE.with_suffix(".new")
    PACKAGE.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(new, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as package:
        for file in files:
            entry = zipfile.ZipInfo(file.relative_to(folder).as_posix())
            entry.create_system, entry.external_attr = 3, 0o100644 << 16  # as on Linux: a file that all may read
            package.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED)
    new.replace(PACKAGE)
    own = sum(DEPENDENCIES not in file.as_posix() for file in files)
    return (
        f"{PACKAGE}: {PACKAGE.stat().st_size:,} bytes, {len(files):,} files ({own} of the app's own), "
        f"{sum(file.stat().st_size for file in files):,} bytes unpacked\n"
        f"sha256 {sha256(PACKAGE.read_bytes()).hexdigest()}\n"
        f"release {(folder / 'release.json').read_text().strip()}"
    )


def run(*command: str | Path, environment: Mapping[str, str] = {}) -> bytes:
    """What a command prints. Refused with what it complains of."""
    surroundings = {**os.environ, "PYTHONHASHSEED": "0", **environment}
    done = subprocess.run(command, capture_output=True, env=surroundings, check=False)
    if done.returncode:
        raise Refused(f"{' '.join(map(str, command[:3]))} … failed:\n{(done.stderr or done.stdout).decode()}")
    return done.stdout


if __name__ == "__main__":
    try:
        if run("git", "status", "--porcelain"):
            sys.stderr.write("package: what isn't committed will not be in it\n")
        sys.stdout.write(f"{make()}\n")
    except Refused as refused:
        sys.exit(f"package: {refused}")

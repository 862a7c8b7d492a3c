"""Holds the lock files against what they lock, without a network.

Every direct dependency is pinned to a version that its specifier allows, production and development agree,
every pin has a hash, and no download address is anywhere. Likewise of npm's packages, of which npm itself says whether
versions fit when it installs them.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOCKS = ("requirements", "requirements-dev", "requirements-tools", "requirements-clients")
NODE_LOCK = "tests/e2e/clients/package-lock.json"
PIN = re.compile(r"^(\S+)==(\S+) \\\n +--hash=sha256:", re.MULTILINE)


def wanted(name: str) -> list[Requirement]:
    """The direct dependencies of a list, those of the lists that it includes among them."""
    lines = [line.split("#")[0].strip() for line in Path(f"{name}.in").read_text().splitlines()]
    included = [each for line in lines if line.startswith("-r ") for each in wanted(line[3:].removesuffix(".in"))]
    return included + [Requirement(line) for line in lines if line and not line.startswith("-r ")]


def faults() -> list[str]:
    """What is wrong with the lock files, one line each."""
    found = []
    pins: dict[str, dict[str, str]] = {}
    for name in LOCKS:
        text = Path(f"{name}.txt").read_text()
        pins[name] = {canonicalize_name(package): version for package, version in PIN.findall(text)}
        if re.search(r"://|^--|^[^#\s][^=]* @ ", text, re.MULTILINE):
            found.append(f"{name}.txt names a download address")
        if len(pins[name]) != len(re.findall(r"^[^#\s]", text, re.MULTILINE)):
            found.append(f"{name}.txt has a line that is no hashed pin")
        for requirement in wanted(name):
            version = pins[name].get(canonicalize_name(requirement.name))
            if version is None or version not in requirement.specifier:
                found.append(f"{name}.txt pins {requirement.name} to {version}, {name}.in wants {requirement}")
    found += [
        f"{package} is {version} in production and {pins['requirements-dev'].get(package)} in development"
        for package, version in pins["requirements"].items()
        if pins["requirements-dev"].get(package) != version
    ]
    return found + list(_faults_of_npms())


def _faults_of_npms() -> Iterator[str]:
    for name, package in json.loads(Path(NODE_LOCK).read_text())["packages"].items():
        if name and not package.get("integrity", "").startswith("sha512-"):
            yield f"{NODE_LOCK} has no hash of {name}"
        if "resolved" in package:
            yield f"{NODE_LOCK} names a download address, of {name}"


if __name__ == "__main__":
    sys.exit(
        "\n".join([*found, "Run scripts/lock; of npm's packages, npm in that folder."]) if (found := faults()) else 0
    )

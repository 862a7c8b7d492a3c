"""Small histories for tests of what reads them."""

import subprocess
from pathlib import Path


def git(checkout: Path, *command: str) -> str:
    """What git prints there, as somebody whom no configuration has to name. Raises CalledProcessError."""
    who = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    done = subprocess.run(["git", *who, *command], cwd=checkout, capture_output=True, text=True, check=True)
    return done.stdout.removesuffix("\n")


def commit_all(checkout: Path, message: str) -> str:
    """Commit whatever is there, be it nothing new; the commit."""
    git(checkout, "add", "--all")
    git(checkout, "commit", "-qm", message, "--allow-empty")
    return git(checkout, "rev-parse", "HEAD")

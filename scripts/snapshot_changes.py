"""What a change does to each environment, as the compiler compares it: `python -m scripts.snapshot_changes COMMIT`.

The snapshots of that commit against the sources of this one, in Markdown. No credentials, no Azure: what only Azure
knows is left to the what-if before a deployment.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from scripts.bicep import PLACE, ROOT, run

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def changes(since: str, checkout: Path = ROOT) -> Iterator[str]:
    """The changes, environment by environment."""
    with tempfile.TemporaryDirectory() as temporary:
        infra = Path(shutil.copytree(checkout / "infra", Path(temporary, "infra")))
        for parameters in sorted(infra.glob("*.bicepparam")):
            before = subprocess.run(
                ["git", "show", f"{since}:infra/{parameters.stem}.snapshot.json"],
                cwd=checkout,
                capture_output=True,
                check=False,
            )
            yield f"### {parameters.stem}\n"
            if before.returncode:
                yield "A new environment.\n"
                continue
            parameters.with_suffix(".snapshot.json").write_bytes(before.stdout)
            answer = run("snapshot", "--mode", "validate", parameters, *PLACE)
            difference = COLOUR.sub("", answer.stdout).strip()
            if answer.returncode and not difference:
                raise SystemExit(f"{parameters.name}: {answer.stderr}")
            yield f"```\n{difference}\n```\n" if answer.returncode else "No change.\n"


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in changes(sys.argv[1]))

"""Reads YAML, with the library that the checks' tools bring along."""

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PROGRAM = "import json, sys, yaml; json.dump({str(k): v for k, v in yaml.safe_load(sys.stdin).items()}, sys.stdout)"


@cache
def read_yaml(path: Path) -> dict[str, Any]:
    """What the file holds."""
    subprocess.run([ROOT / "scripts" / "setup", "--tools"], check=True)
    python = ROOT / ".tools" / "bin" / "python"
    read = subprocess.run([python, "-c", PROGRAM], input=path.read_bytes(), capture_output=True, check=True)
    found: dict[str, Any] = json.loads(read.stdout)
    return found

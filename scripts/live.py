"""Asks deployed contexts, or all of them, which commit they run. `python -m scripts.live COMMIT [CONTEXT …] <apps.json`
waits until it is this one; `apps.json` is the output `apps` of the deployment of `infra/`.

Only the standard library, since the pipeline runs it without an environment of ours.
"""

import json
import os
import sys
import time
from http.client import HTTPException
from urllib.request import urlopen

PATIENCE = float(os.environ.get("PATIENCE", "600"))
"""Seconds: a new package is fetched, the old instances end, and the first request starts a new one."""


class Unanswered(Exception):
    """No answer that says which commit runs; the message says what came instead."""


def running(url: str, context: str, timeout: float = 60) -> str:
    """The commit that the context runs. Raises Unanswered."""
    address = f"{url.rstrip('/')}/api/health/{context}/live"
    if not address.startswith(("http://", "https://")):
        raise Unanswered(f"{address} is no address: it should begin with https://")
    try:
        with urlopen(address, timeout=timeout) as answer:
            return str(json.load(answer)["commit"])
    except (OSError, HTTPException, ValueError, LookupError, TypeError) as fault:
        raise Unanswered(f"{address}: {fault!r}") from fault


def wait(url: str, context: str, commit: str, *, patience: float = PATIENCE, pause: float = 5) -> str | None:
    """Wait until the context runs the commit; what it said last where it doesn't in time."""
    deadline = time.monotonic() + patience
    while True:
        try:
            found = running(url, context)
        except Unanswered as fault:
            said = str(fault)
        else:
            if found == commit:
                return None
            said = f"it runs {found}"
        if time.monotonic() + pause > deadline:
            return f"{context} doesn't run {commit} after {patience:.0f} s: {said}"
        time.sleep(pause)


def main(commit: str, contexts: list[str], apps: list[dict[str, str]]) -> str | None:
    """Wait for each context, or all; what is wrong with the first that isn't there in time."""
    urls = {app["context"]: app["url"] for app in apps}
    for context in contexts or urls:
        if context not in urls:
            return f"{context} has no app here, only {', '.join(urls)} have"
        if complaint := wait(urls[context], context, commit):
            return complaint
        sys.stdout.write(f"{context} runs {commit}\n")
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:], json.load(sys.stdin)))

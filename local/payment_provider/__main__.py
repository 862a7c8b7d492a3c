"""`python -m local.payment_provider --state DIR --port P`."""

import argparse
import json
from pathlib import Path

from local.faults import serve
from local.payment_provider.app import build
from local.payment_provider.store import Store


def main() -> None:
    """Serve the provider on 127.0.0.1 until SIGTERM or SIGINT, with the state in DIR/payment_provider."""
    parser = argparse.ArgumentParser(prog="python -m local.payment_provider")
    parser.add_argument("--state", type=Path, required=True, help="the folder with keys.json and all state")
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    keys = json.loads((arguments.state / "keys.json").read_text())
    folder = arguments.state / "payment_provider"
    folder.mkdir(exist_ok=True)
    serve(build(Store(folder / "payment_provider.sqlite"), keys["paymentProvider"]), arguments.port)


if __name__ == "__main__":
    main()

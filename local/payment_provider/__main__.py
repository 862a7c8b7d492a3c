"""`python -m local.payment_provider --state DIR --port P`."""

import json

from local.faults import serve
from local.part import arguments
from local.payment_provider.app import build
from local.payment_provider.store import Store


def main() -> None:
    """Serve the provider on 127.0.0.1 until SIGTERM or SIGINT, with the state in DIR/payment_provider."""
    state, port = arguments(__doc__)
    keys = json.loads((state / "keys.json").read_text())
    folder = state / "payment_provider"
    folder.mkdir(exist_ok=True)
    serve(build(Store(folder / "payment_provider.sqlite"), keys["paymentProvider"]), port)


if __name__ == "__main__":
    main()

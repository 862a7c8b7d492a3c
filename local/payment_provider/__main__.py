"""`python -m local.payment_provider --state DIR --port P`."""

from local.faults import serve
from local.part import arguments, key_of
from local.payment_provider.app import build
from local.payment_provider.store import Store


def main() -> None:
    """Serve the provider on 127.0.0.1 until SIGTERM or SIGINT, with the state in DIR/payment_provider."""
    state, port = arguments(__doc__)
    folder = state / "payment_provider"
    key = key_of(state, "paymentProvider")
    folder.mkdir(exist_ok=True)
    serve(build(Store(folder / "payment_provider.sqlite"), key), port)


if __name__ == "__main__":
    main()

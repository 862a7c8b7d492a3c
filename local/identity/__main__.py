"""`python -m local.identity --state DIR --port P`."""

from local.faults import serve
from local.identity import issuer
from local.identity.app import build
from local.part import arguments
from local.state import NoStackError


def main() -> None:
    """Serve the issuer on 127.0.0.1 until SIGTERM or SIGINT, with its keys in DIR/identity."""
    state, port = arguments(__doc__)
    try:
        keys = issuer.read(state).keys
    except NoStackError:
        keys = [issuer.new_key()]
    issuer.write(state, issuer.Issuer(f"http://127.0.0.1:{port}", keys))
    serve(build(state), port)


if __name__ == "__main__":
    main()

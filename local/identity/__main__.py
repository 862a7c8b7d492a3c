"""`python -m local.identity --state DIR --port P`."""

import argparse
from pathlib import Path

from local.faults import serve
from local.identity import issuer
from local.identity.app import build


def main() -> None:
    """Serve the issuer on 127.0.0.1 until SIGTERM or SIGINT, with its keys in DIR/identity."""
    parser = argparse.ArgumentParser(prog="python -m local.identity", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="the state folder")
    parser.add_argument("--port", type=int, required=True, help="HTTP, on 127.0.0.1")
    arguments = parser.parse_args()
    try:
        keys = issuer.read(arguments.state).keys
    except issuer.NoIssuerError:
        keys = [issuer.new_key()]
    issuer.write(arguments.state, issuer.Issuer(f"http://127.0.0.1:{arguments.port}", keys))
    serve(build(arguments.state), arguments.port)


if __name__ == "__main__":
    main()

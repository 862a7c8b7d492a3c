"""`python -m local.cosmos --state DIR --port P`: serve the account from `DIR/cosmos/`, keys from `DIR/keys.json`."""

from contextlib import closing

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from local import topology
from local.cosmos import errors, indexing
from local.cosmos.app import App
from local.cosmos.authorisation import DATABASE, Keys
from local.cosmos.requests import operation
from local.cosmos.store import Store
from local.faults import HTTP_KINDS, Fault, FaultMiddleware, Faults, Stats, control_routes, serve
from local.part import arguments, key_of


def provision(store: Store, containers: tuple[topology.Container, ...]) -> None:
    """Create what the topology names; refuse to start on containers that it defines otherwise."""
    if f"dbs/{DATABASE}" not in store.definitions:
        store.create("dbs", {"id": DATABASE})
    feed = f"dbs/{DATABASE}/colls"
    for wanted in containers:
        definition = {
            "id": wanted.name,
            "partitionKey": {"paths": [wanted.partition_key], "kind": "Hash", "version": 2},
            "indexingPolicy": indexing.policy(wanted.indexing_policy),
            "defaultTtl": wanted.default_ttl,
        }
        existing = store.definitions.get(f"{feed}/{wanted.name}")
        if existing is None:
            store.create(feed, definition)
        elif any(existing.get(name) != value for name, value in definition.items()):
            raise SystemExit(f"The container {wanted.name} was made by another topology: start with fresh state.")


def status_answer(fault: Fault) -> Response:
    """The answer of an injected status, in the form that the SDK's retries look at."""
    headers = {"x-ms-substatus": str(fault.substatus or 0)}
    if fault.retry_after_ms is not None:
        headers["x-ms-retry-after-ms"] = str(fault.retry_after_ms)
    return JSONResponse(errors.body(fault.status, f"injected by {fault.id}"), fault.status, headers)


def application(store: Store, keys: Keys) -> ASGIApp:
    """The whole part: protocol, control and faults over a store."""
    faults, stats = Faults(HTTP_KINDS | {"throttle", "stale"}), Stats("byContainer")
    app = App(store, keys, stats, Starlette(routes=control_routes(faults, stats)))
    return FaultMiddleware(app, faults, stats, operation, {"status": status_answer})


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    state, port = arguments(__doc__)
    keys, folder = Keys(key_of(state, "cosmos")), state / "cosmos"
    folder.mkdir(exist_ok=True)
    with closing(Store(folder / "cosmos.sqlite")) as store:
        provision(store, topology.load().containers)
        serve(application(store, keys), port)


if __name__ == "__main__":
    main()

"""Which pages of other origins may call (CORS), as Core Tools does it: those of `Host.CORS` in `local.settings.json`.

They may use any method and send any header; of an answer's headers they read those alone that every page may. Azure has
this from settings of its platform instead.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from local.functions_host.server import respond

_PREFLIGHT = {
    b"access-control-request-method": "access-control-allow-methods",
    b"access-control-request-headers": "access-control-allow-headers",
}


class Cors:
    """The application (ASGI) in front of another, which never sees a preflight."""

    def __init__(self, app: ASGIApp, origins: Sequence[str], *, credentials: bool) -> None:
        self._app, self._origins, self._credentials = app, origins, credentials

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = {name: value.decode("latin-1") for name, value in scope["headers"]}
        granted = self._granted(asked.get(b"origin", ""))
        if scope["method"] == "OPTIONS" and {b"origin", b"access-control-request-method"} <= asked.keys():
            wanted = [(allow, asked[request]) for request, allow in _PREFLIGHT.items() if granted and request in asked]
            await respond(send, 204, headers=[*granted, *wanted])
            return

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = [(name.encode(), value.encode("latin-1")) for name, value in granted]
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        await self._app(scope, receive, send_on)

    def _granted(self, origin: str) -> list[tuple[str, str]]:
        """The headers that let a page of this origin read the answer; none for one that isn't listed."""
        anybody = self._origins == ["*"]
        if not origin or not (anybody or origin in self._origins):
            return []
        granted = [("access-control-allow-origin", "*" if anybody else origin)]
        granted += [("access-control-allow-credentials", "true")] if self._credentials else []
        return granted + ([("vary", "Origin")] if len(self._origins) > 1 else [])

"""Which pages of other origins may call (CORS), as Core Tools does it: those of `Host.CORS` in `local.settings.json`.

They may use any method and send any header; of an answer's headers they read those alone that every page may. Azure has
this from settings of its platform instead.
"""

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

_PREFLIGHT = {
    "access-control-request-method": "access-control-allow-methods",
    "access-control-request-headers": "access-control-allow-headers",
}


class Cors(CORSMiddleware):
    """The application (ASGI) in front of another, which never sees a preflight."""

    def __init__(self, app: ASGIApp, origins: Sequence[str], *, credentials: bool) -> None:
        super().__init__(app, allow_origins=origins, allow_credentials=credentials)

    def preflight_response(self, request_headers: Headers) -> Response:
        """Whatever a page of a listed origin asks for; nothing to any other, which is no error."""
        answer = Response(status_code=204)
        if self.is_allowed_origin(origin := request_headers["origin"]):
            granted = {_PREFLIGHT[name]: request_headers[name] for name in _PREFLIGHT if name in request_headers}
            answer.headers.update(self.simple_headers | granted)
            if not self.allow_all_origins:
                self.allow_explicit_origin(answer.headers, origin)
        return answer

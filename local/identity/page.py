"""The page that asks who signs in."""

from collections.abc import Mapping
from html import escape
from pathlib import Path
from string import Template

from starlette.responses import HTMLResponse

from local.identity.issuer import Role

_PAGE = Template(Path(__file__).with_name("sign_in.html").read_text(encoding="utf-8"))
# Not form-action: browsers hold it against the redirect that follows, too.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"


def sign_in_page(asked: Mapping[str, str]) -> HTMLResponse:
    """The form; what the caller's page asked for goes along with it."""
    hidden = (f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in asked.items())
    roles = "".join(f"<option>{role}</option>" for role in Role)
    headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-store"}
    return HTMLResponse(_PAGE.substitute(hidden="\n  ".join(hidden), roles=roles), headers=headers)

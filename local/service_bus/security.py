"""Who may do what: shared access signatures, checked against `keys.json`, and the topology's grants.

The token's form is Azure's: `SharedAccessSignature sr=<address>&sig=<signature>&se=<expiry>&skn=<key's name>`, signed
with HMAC-SHA256 over address and expiry (Azure documentation, "access control with Shared Access Signatures").
"""

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Mapping
from urllib.parse import unquote

from local.service_bus.entities import Entity
from local.service_bus.refusal import Refused
from local.topology import Grant, Topology

OPERATOR, MANAGEMENT = "operator", "/$management"
_ADDRESS = re.compile(r"[a-z]+://[^/]*/?")


def path_of(address: str) -> str:
    """The entity's path in an address such as `amqps://host:port/queue`, or in one without a host."""
    return _ADDRESS.sub("", address, count=1).strip("/")


class Gate:
    """Checks tokens and grants. A key's name is the context's; `operator` may do all."""

    def __init__(self, topology: Topology, keys: Mapping[str, str]) -> None:
        self._keys = keys
        self._grants = {grant.context: grant for grant in topology.grants}

    def check_token(self, token: str, audience: str) -> tuple[str, float]:
        """The name of the key that signed a token for this audience, and when the token ends; Refused otherwise."""
        scheme, _, rest = token.partition(" ")
        fields = dict(part.partition("=")[::2] for part in rest.split("&"))
        if scheme != "SharedAccessSignature" or not {"sr", "sig", "se", "skn"} <= fields.keys():
            raise Refused("amqp:unauthorized-access", "Not a shared access signature with sr, sig, se and skn.")
        name = unquote(fields["skn"])
        signed = f"{fields['sr']}\n{fields['se']}".encode()
        expected = base64.b64encode(hmac.digest(self._keys.get(name, "").encode(), signed, hashlib.sha256))
        if name not in self._keys or not hmac.compare_digest(expected, unquote(fields["sig"]).encode()):
            raise Refused("amqp:unauthorized-access", "Invalid authorization token signature.")
        if not fields["se"].isdecimal() or float(fields["se"]) < time.time():
            raise Refused("amqp:unauthorized-access", "The token has expired.")
        if not _within(path_of(audience), path_of(unquote(fields["sr"]))):
            raise Refused("amqp:unauthorized-access", f"The token isn't one for '{audience}'.")
        return name, float(fields["se"])

    def allows(self, name: str, right: str, path: str) -> bool:
        """Whether a key's owner may "send" to or "receive" from the entity of this path. Who manages it may do both."""
        grant = self._grants.get(name, Grant(name))
        granted = grant.manage | (grant.send if right == "send" else grant.receive)
        return name == OPERATOR or path.lower() in {entity.lower() for entity in granted}


class Tokens:
    """The tokens that one connection has put."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._put: dict[str, tuple[str, float]] = {}

    def put(self, token: str, audience: str) -> None:
        """Keep a token, when it is valid; Refused otherwise. A token for a management node opens its entity."""
        self._put[path_of(audience).removesuffix(MANAGEMENT)] = self._gate.check_token(token, audience)

    def demand(self, entity: Entity, *rights: str) -> None:
        """Refused unless a token that is valid for the entity gives one of these rights on it or whose part it is."""
        allowed = any(
            end > time.time() and _within(entity.path, audience) and self._gate.allows(name, right, entity.owner.path)
            for audience, (name, end) in self._put.items()
            for right in rights
        )
        if not allowed:
            raise Refused("amqp:unauthorized-access", f"{' or '.join(rights)} on '{entity.path}' isn't granted.")


def _within(path: str, audience: str) -> bool:
    path, audience = path.lower(), audience.lower()
    return audience in ("", path) or path.startswith(audience + "/")

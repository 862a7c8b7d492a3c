"""Who calls: the signature of a request, and what its key may do.

The signature: https://learn.microsoft.com/rest/api/cosmos-db/access-control-on-cosmosdb-resources
"""

import base64
import hmac
from collections.abc import Mapping
from urllib.parse import unquote

from local.cosmos import errors

OPERATOR = "operator"
_SIGNED = "type=master&ver=1.0&sig="


class Keys:
    """The account's keys by the name of their holder, base64 as everywhere in Azure."""

    def __init__(self, keys: Mapping[str, str]) -> None:
        self._keys = {holder: base64.b64decode(key) for holder, key in keys.items()}

    def holder(self, method: str, segments: list[str], headers: Mapping[bytes, bytes]) -> str:
        """Whose key signed the request; 401 when none did."""
        token = unquote(headers.get(b"authorization", b"").decode("latin-1"))
        if not token.startswith(_SIGNED):
            raise errors.CosmosError(401, "The authorization header has no signature by one of the account's keys.")
        of_one = len(segments) % 2 == 0
        kind = segments[-2 if of_one else -1] if segments else ""
        resource = segments if of_one else segments[:-1]
        date = headers.get(b"x-ms-date", b"").decode("latin-1").lower()
        text = f"{method.lower()}\n{kind.lower()}\n{'/'.join(resource)}\n{date}\n\n".encode()
        for holder, key in self._keys.items():
            signature = base64.b64encode(hmac.digest(key, text, "sha256")).decode()
            if hmac.compare_digest(signature.encode(), token[len(_SIGNED) :].encode()):
                return holder
        message = "The input authorization token can't serve the request: its signature is of none of the keys."
        raise errors.CosmosError(401, message)

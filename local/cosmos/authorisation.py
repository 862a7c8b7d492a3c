"""Who calls: the signature of a request, and what its key may do.

The signature: https://learn.microsoft.com/rest/api/cosmos-db/access-control-on-cosmosdb-resources
"""

import base64
import hmac
from collections.abc import Mapping
from urllib.parse import unquote

from local.cosmos import errors
from local.cosmos.requests import Request

DATABASE = "orderflow"
_OPERATOR = "operator"
_SIGNED = "type=master&ver=1.0&sig="


class Keys:
    """The account's keys by the name of their holder, base64 as everywhere in Azure."""

    def __init__(self, keys: Mapping[str, str]) -> None:
        self._keys = {holder: base64.b64decode(key) for holder, key in keys.items()}

    def authorise(self, request: Request) -> None:
        """401 for a request that no key signed, 403 for one that its key doesn't open.

        The operator's opens everything, a context's the items of the container of its name.
        """
        holder = self._holder(request)
        if holder == _OPERATOR or request.operation == "ReadAccount":
            return
        if request.container != f"dbs/{DATABASE}/colls/{holder}" or request.operation == "DeleteContainer":
            what = f"{request.operation} on /{'/'.join(request.segments)}"
            raise errors.CosmosError(403, f"Request blocked by Auth: the key of {holder!r} may not do {what}.")

    def _holder(self, request: Request) -> str:
        segments, date = request.signed, request.header(b"x-ms-date") or ""
        # Signed are the resource's kind and path; of a feed, or a resource to be made, the owner's path. In place of a
        # path of resource ids stands its last one.
        named = len(segments) % 2 == 0
        kind = (segments[-2] if named else segments[-1]) if segments else ""
        path = "/".join(segments if named else segments[:-1])
        signature = unquote(request.header(b"authorization") or "").removeprefix(_SIGNED).encode()
        for signed in (path, path.rpartition("/")[2].lower()):
            text = f"{request.method.lower()}\n{kind.lower()}\n{signed}\n{date.lower()}\n\n".encode()
            for holder, key in self._keys.items():
                if hmac.compare_digest(base64.b64encode(hmac.digest(key, text, "sha256")), signature):
                    return holder
        raise errors.CosmosError(401, "The authorization header has no signature by one of the account's keys.")

"""What the SDK's `read_items` sends, up to a thousand alternatives: for the parser that would take long."""

import re
from functools import lru_cache

from local.cosmos.query.compiler import Compiled
from local.cosmos.query.expressions import Condition

_POINT = re.compile(r"\( c\.id = @(\w+) AND c\.(\w+) = @(\w+) \)")
_CONDITION = "(pk, id) IN (SELECT value ->> 0, value ->> 1 FROM json_each(:points))"


@lru_cache(maxsize=512)
def points(text: str, key_path: tuple[str, ...]) -> Compiled | None:
    """The query, if it is one of those: `id` and partition key equal parameters, or other ones, and so on."""
    found = _POINT.findall(text)
    parts = [f"( c.id = @{id} AND c.{key} = @{value} )" for id, key, value in found]
    if text != f"SELECT * FROM c WHERE ( {' OR '.join(parts)} )" or any((key,) != key_path for _, key, _ in found):
        return None
    condition = Condition(_CONDITION, _CONDITION)
    return Compiled(condition, None, (), None, None, None, {}, tuple((value, id) for id, _, value in found))

"""What stands below the attributes of a class, for the pages and the document that are rendered from it."""

import ast
import inspect
import textwrap
from itertools import pairwise


def meanings(cls: type) -> dict[str, str]:
    """What stands below each attribute of the class itself, in one line."""
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
    assert isinstance(definition, ast.ClassDef)
    return {
        ast.unparse(attribute.target): " ".join(str(below.value.value).split())
        for attribute, below in pairwise(definition.body)
        if isinstance(attribute, ast.AnnAssign)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
    }

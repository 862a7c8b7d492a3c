"""From an expression to a function that evaluates it."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from local.cosmos import errors
from local.cosmos.query import tree
from local.cosmos.query.functions import function
from local.cosmos.query.syntax import parse_condition
from local.cosmos.query.tree import UNDEFINED, Expression
from local.cosmos.query.values import compared, same

type Evaluate = Callable[[Any, Mapping[str, Any]], Any]


def evaluator(expression: Expression, alias: str) -> Evaluate:
    """A function of a document, known as `alias`, and the parameters: the expression's value or UNDEFINED.

    400 where the expression names another alias; 400 from the function where a parameter is missing.
    """
    match expression:
        case tree.Literal(value):
            return lambda _document, _parameters: value
        case tree.Parameter(name):
            return lambda _document, parameters: argument(name, parameters)
        case tree.Path(root, steps):
            return _path(root, steps, alias)
        case tree.Compare(operator, left, right):
            one, other = evaluator(left, alias), evaluator(right, alias)
            return lambda document, parameters: compared(
                operator, one(document, parameters), other(document, parameters)
            )
        case tree.Every(parts):
            return _logical([evaluator(part, alias) for part in parts], False)
        case tree.Either(parts):
            return _logical([evaluator(part, alias) for part in parts], True)
        case tree.Not(part):
            inner = evaluator(part, alias)
            return lambda document, parameters: _negated(inner(document, parameters))
        case tree.Member(item, options):
            return _member(evaluator(item, alias), [evaluator(option, alias) for option in options])
        case tree.Array(items):
            members = [evaluator(item, alias) for item in items]
            return lambda document, parameters: [member(document, parameters) for member in members]
        case tree.Call(name, arguments):
            called = function(name, len(arguments))
            passed = [evaluator(part, alias) for part in arguments]
            return lambda document, parameters: called(*[value(document, parameters) for value in passed])


@lru_cache(maxsize=512)
def _condition(text: str) -> Evaluate:
    query = parse_condition(text)
    return evaluator(query.where or tree.Literal(True), query.alias)


def holds(text: Any, document: dict[str, Any]) -> bool:
    """Whether a document fulfils a patch's condition, `from c where …`; 400 where that isn't one."""
    if not isinstance(text, str):
        raise errors.bad_request("A patch's condition is a text.")
    return _condition(text)(document, {}) is True


def argument(name: str, parameters: Mapping[str, Any]) -> Any:
    """A parameter's value; 400 where the request has none."""
    if name not in parameters:
        raise errors.bad_request(f"The query parameter {name} has no value.")
    return parameters[name]


def _path(root: str, steps: tuple[str | int, ...], alias: str) -> Evaluate:
    if root != alias:
        raise errors.bad_request(f"Identifier '{root}' could not be resolved.")

    def follow(document: Any, _parameters: Mapping[str, Any]) -> Any:
        for step in steps:
            if isinstance(step, str):
                document = document.get(step, UNDEFINED) if isinstance(document, dict) else UNDEFINED
            else:
                inside = isinstance(document, list) and step < len(document)
                document = document[step] if inside else UNDEFINED
        return document

    return follow


def _logical(parts: list[Evaluate], decisive: bool) -> Evaluate:
    """AND (decided by a false part) or OR (by a true one); what isn't a truth value counts as undefined."""

    def decide(document: Any, parameters: Mapping[str, Any]) -> Any:
        result: Any = not decisive
        for part in parts:
            value = part(document, parameters)
            if value is decisive:
                return decisive
            if value is not (not decisive):
                result = UNDEFINED
        return result

    return decide


def _negated(value: Any) -> Any:
    return not value if isinstance(value, bool) else UNDEFINED


def _member(item: Evaluate, options: list[Evaluate]) -> Evaluate:
    def is_member(document: Any, parameters: Mapping[str, Any]) -> Any:
        value = item(document, parameters)
        if value is UNDEFINED:
            return UNDEFINED
        return any(same(value, option(document, parameters)) for option in options)

    return is_member

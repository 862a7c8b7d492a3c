"""Route templates, as ASP.NET Core reads them and the Functions host uses them.

`items/{id:int}`, an optional last `{id?}`, a catch-all `{*rest}`. Literals match regardless of case. No template goes
before another because it is more specific: of the functions in the order of their names, the first whose route and
method match is the one.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from uuid import UUID


class TemplateError(ValueError):
    """A template that isn't one, or holds something that this host doesn't support. The message names it."""


_PARAMETER = re.compile(r"\{(\*{0,2})(\w+)((?::\w+(?:\([^{}()]*\))?)*)(\??)\}")
_CONSTRAINT = re.compile(r":(\w+)(?:\(([^()]*)\))?")


def _parses(read: Callable[[str], object], value: str) -> bool:
    try:
        read(value)
    except ValueError:
        return False
    return True


def _within(bits: int, value: str) -> bool:
    return re.fullmatch("[+-]?[0-9]+", value) is not None and -(2 ** (bits - 1)) <= int(value) < 2 ** (bits - 1)


_CONSTRAINTS: dict[str, Callable[..., bool]] = {
    "int": lambda value: _within(32, value),
    "long": lambda value: _within(64, value),
    "double": lambda value: _parses(float, value),
    "bool": lambda value: value.lower() in ("true", "false"),
    "guid": lambda value: _parses(UUID, value),
    "alpha": lambda value: re.fullmatch("[A-Za-z]*", value) is not None,
    "length": lambda value, least, most=None: int(least) <= len(value) <= int(most or least),
    "minlength": lambda value, least: len(value) >= int(least),
    "maxlength": lambda value, most: len(value) <= int(most),
    "min": lambda value, least: _within(64, value) and int(value) >= int(least),
    "max": lambda value, most: _within(64, value) and int(value) <= int(most),
    "range": lambda value, least, most: _within(64, value) and int(least) <= int(value) <= int(most),
    "regex": lambda value, *pattern: re.search(",".join(pattern), value, re.IGNORECASE) is not None,
}


class Template:
    """One route template, without the slashes around it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._names: list[str] = []
        self._checks: list[tuple[int, Callable[..., bool], list[str]]] = []
        *others, last = text.split("/")
        pattern = "".join([self._segment(segment) for segment in others] + [self._segment(last, last=True)])
        self._pattern = re.compile(pattern if text else "", re.IGNORECASE | re.DOTALL)

    def match(self, path: str) -> dict[str, str] | None:
        """The path's parameters, an absent optional one left out; None when it doesn't match."""
        found = self._pattern.fullmatch("/" + path if path else "")
        if not found:
            return None
        values = found.groups()
        if not all(check(values[index], *arguments) for index, check, arguments in self._checks if values[index]):
            return None
        return {name: value for name, value in zip(self._names, values, strict=True) if value}

    def _segment(self, segment: str, *, last: bool = False) -> str:
        pattern, end, whole = "/", 0, last and _PARAMETER.fullmatch(segment)
        for found in _PARAMETER.finditer(segment):
            stars, name, constraints, optional = found.groups()
            if (stars or optional) and not whole:
                raise TemplateError(f"{found[0]} can only be a whole last segment")
            for constraint, arguments in _CONSTRAINT.findall(constraints):
                if constraint not in _CONSTRAINTS:
                    raise TemplateError(f"the constraint {constraint!r} isn't supported")
                self._checks.append((len(self._names), _CONSTRAINTS[constraint], [*filter(None, arguments.split(","))]))
            self._names.append(name)
            pattern += re.escape(segment[end : found.start()]) + ("(.*)" if stars else "([^/]+)")
            end = found.end()
            if stars or optional:
                pattern = f"(?:{pattern})?"
        if re.search("[{}?*]", _PARAMETER.sub("", segment)):
            raise TemplateError(f"{segment!r} isn't a segment that is supported")
        return pattern + re.escape(segment[end:])


@dataclass(frozen=True, slots=True)
class Route[Target]:
    """Where the requests of some methods (None: of any) for a template's paths go."""

    name: str
    methods: frozenset[str] | None
    template: Template
    target: Target


class Routes[Target]:
    """Routes in the order in which the host tries them."""

    def __init__(self, routes: Iterable[Route[Target]]) -> None:
        self._routes = sorted(routes, key=lambda route: (route.name.lower(), route.name))

    def __iter__(self) -> Iterator[Route[Target]]:
        return iter(self._routes)

    def find(self, method: str, path: str) -> tuple[Target, dict[str, str]] | None:
        """The target of a request for this path (decoded, from the slash on), and the route's parameters."""
        path = path.removeprefix("/").removesuffix("/")
        for route in self._routes:
            if route.methods is None or method in route.methods:
                parameters = route.template.match(path)
                if parameters is not None:
                    return route.target, parameters
        return None

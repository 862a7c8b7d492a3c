"""Plots as SVG, plain enough to be read as text: lines over a row of values, and stacked bars."""

from collections.abc import Iterator, Mapping, Sequence
from xml.sax.saxutils import escape

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 360, 70, 170, 40, 50
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#999999", "#000000")
"""Told apart also by who sees few colours (Okabe and Ito)."""
STEPS = 5


def lines(title: str, over: str, xs: Sequence[str], series: Mapping[str, Sequence[float]]) -> str:
    """Each series as a line; the values of x evenly apart."""
    top = _top(max(value for values in series.values() for value in values))
    width = WIDTH - LEFT - RIGHT
    places = [LEFT + width * (number + 0.5) / len(xs) for number in range(len(xs))]
    body = [*_frame(title, top), *_names(xs, places), _text(LEFT + width / 2, HEIGHT - 12, over, "middle")]
    for colour, (name, values), number in zip(COLOURS, series.items(), range(len(series)), strict=False):
        points = [f"{x:.1f},{_height(value, top):.1f}" for x, value in zip(places, values, strict=True)]
        body.append(f'<polyline points="{" ".join(points)}" fill="none" stroke="{colour}" stroke-width="2"/>')
        body += [
            f'<circle cx="{point.split(",")[0]}" cy="{point.split(",")[1]}" r="3" fill="{colour}"/>' for point in points
        ]
        body += _key(number, name, colour)
    return _drawn(body)


def bars(title: str, stacks: Mapping[str, Mapping[str, float]]) -> str:
    """Each stack as a bar of its parts, the first at the bottom."""
    top = _top(max(sum(parts.values()) for parts in stacks.values()))
    names = [*dict.fromkeys(name for parts in stacks.values() for name in parts)]
    width = (WIDTH - LEFT - RIGHT) / len(stacks)
    places = [LEFT + width * (number + 0.5) for number in range(len(stacks))]
    body = [*_frame(title, top), *_names([*stacks], places)]
    for x, parts in zip(places, stacks.values(), strict=True):
        below = 0.0
        for name, value in parts.items():
            colour = COLOURS[names.index(name) % len(COLOURS)]
            upper, lower = _height(below + value, top), _height(below, top)
            body.append(
                f'<rect x="{x - width / 4:.1f}" y="{upper:.1f}" width="{width / 2:.1f}" height="{lower - upper:.1f}" '
                f'fill="{colour}"><title>{escape(name)}: {value:g}</title></rect>'
            )
            below += value
    for number, name in enumerate(names):
        body += _key(number, name, COLOURS[number % len(COLOURS)])
    return _drawn(body)


def _top(most: float) -> float:
    """The end of an axis: a round number above everything."""
    for scale in (10.0**exponent for exponent in range(-3, 9)):
        for step in (1, 2, 2.5, 5):
            if step * scale * STEPS >= most:
                return step * scale * STEPS
    raise ValueError(f"{most} is too much to be drawn")


def _height(value: float, top: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top


def _frame(title: str, top: float) -> Iterator[str]:
    yield f"<title>{escape(title)}</title>"
    yield f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>'
    yield _text(LEFT, 22, title, "start", bold=True)
    for step in range(STEPS + 1):
        value = top * step / STEPS
        y = _height(value, top)
        yield f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#dddddd"/>'
        yield _text(LEFT - 8, y + 4, f"{value:,g}", "end")


def _names(names: Sequence[str], places: Sequence[float]) -> Iterator[str]:
    for name, x in zip(names, places, strict=True):
        yield _text(x, HEIGHT - BOTTOM + 18, name, "middle")


def _key(number: int, name: str, colour: str) -> Iterator[str]:
    y = TOP + 20 * number
    yield f'<rect x="{WIDTH - RIGHT + 12}" y="{y}" width="12" height="12" fill="{colour}"/>'
    yield _text(WIDTH - RIGHT + 30, y + 10, name, "start")


def _text(x: float, y: float, text: str, anchor: str, *, bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{weight}>{escape(text)}</text>'


def _drawn(body: Sequence[str]) -> str:
    style = 'font-family="sans-serif" font-size="12" fill="#333333"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" {style}>'
    return "\n".join([head, *body, "</svg>", ""])

"""A plot is an image that says in words and places what was measured."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import page, plots
from benchmarks.report import How, Report, Table, read

SVG = "{http://www.w3.org/2000/svg}"


def test_a_line_goes_through_what_was_measured() -> None:
    image = ElementTree.fromstring(
        plots.lines("Rate", "callers", ["1", "16"], {"patch": [50.0, 100.0], "A & B": [50.0, 0.0]})
    )

    first, second = (each.attrib["points"] for each in image.iter(f"{SVG}polyline"))
    (start, top), (other, bottom) = ([point.split(",") for point in each.split()] for each in (first, second))
    assert start == other
    assert float(top[1]) == plots.TOP
    assert float(bottom[1]) == plots.HEIGHT - plots.BOTTOM
    texts = [each.text for each in image.iter(f"{SVG}text")]
    assert {"Rate", "callers", "1", "16", "patch", "A & B", "0", "100"} <= {*texts}


def test_a_bar_is_as_high_as_its_parts_together() -> None:
    image = ElementTree.fromstring(plots.bars("Time", {"1 line": {"host": 60.0, "cosmos": 40.0}}))

    heights = [
        float(each.attrib["height"]) for each in image.iter(f"{SVG}rect") if each.find(f"{SVG}title") is not None
    ]
    assert sum(heights) == pytest.approx(plots.HEIGHT - plots.TOP - plots.BOTTOM)
    assert heights[0] == pytest.approx(1.5 * heights[1], rel=0.01)


@pytest.mark.parametrize(("most", "top"), [(0.7, 1.0), (99.0, 100.0), (101.0, 125.0), (251.0, 500.0)])
def test_an_axis_ends_at_a_round_number_above_all(most: float, top: float) -> None:
    image = plots.bars("Time", {"1": {"a": most}})

    assert f">{top:g}</text>" in image


def test_what_was_written_is_read_again_and_drawn(tmp_path: Path) -> None:
    heading = ("", "way", "successes a second", "p50, ms", "p99, ms")
    rows = [[f"{callers} callers, one SKU", way, 10.0, 1.0, 2.0] for callers in (1, 16) for way in ("patch", "ETag")]
    report = Report(tables=[Table(heading, [*rows, ["16 callers, orders of 3 of ten SKUs", "patch", 1.0, 1.0, 1.0]])])
    report.write(tmp_path, "hot_sku", How(quick=True))

    found = read(tmp_path, "hot_sku")

    assert found is not None
    assert [*found[0].text()] == [*report.text()]
    assert found[1]["quick"]
    assert [file.name for file, _ in page.plots_of("hot_sku", found[0])] == ["hot_sku_rate.svg", "hot_sku_p99.svg"]
    assert read(tmp_path, "growth") is None

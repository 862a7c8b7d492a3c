"""Route templates match as ASP.NET Core's do; routes are tried in the order of the functions' names."""

from __future__ import annotations

import pytest

from local.functions_host.routes import Route, Routes, Template, TemplateError


@pytest.mark.parametrize(
    ("template", "path", "parameters"),
    [
        ("items", "items", {}),
        ("items", "ITEMS", {}),
        ("items/{id}", "items/A b", {"id": "A b"}),
        ("items/{id}", "items/a%2Fb", {"id": "a%2Fb"}),
        ("items/{id?}", "items/7", {"id": "7"}),
        ("items/{id?}", "items", {}),
        ("files/{*rest}", "files/a/b/c", {"rest": "a/b/c"}),
        ("files/{**rest}", "files", {}),
        ("{name}.{kind}", "a.tar.gz", {"name": "a.tar", "kind": "gz"}),
        ("v{major:int}/{minor:int}", "v1/2", {"major": "1", "minor": "2"}),
        ("", "", {}),
    ],
)
def test_a_template_matches_a_path(template: str, path: str, parameters: dict[str, str]) -> None:
    assert Template(template).match(path) == parameters


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("items", "item"),
        ("items", "items/7"),
        ("items/{id}", "items"),
        ("items/{id}", "items/7/8"),
        ("items/{id}", "items//"),
        ("", "items"),
    ],
)
def test_a_template_does_not_match_another_path(template: str, path: str) -> None:
    assert Template(template).match(path) is None


@pytest.mark.parametrize(
    ("constraint", "fits", "fails"),
    [
        ("int", ["0", "-7", "2147483647"], ["x", "1.5", "2147483648", "٣"]),
        ("long", ["9223372036854775807"], ["9223372036854775808"]),
        ("double", ["1.5", "-2"], ["x"]),
        ("bool", ["true", "FALSE"], ["1"]),
        ("guid", ["0af76519-16cd-43dd-8448-eb211c80319c"], ["0af7"]),
        ("alpha", ["aZ"], ["a1", "é"]),
        ("length(3)", ["abc"], ["ab", "abcd"]),
        ("length(2,3)", ["ab", "abc"], ["a", "abcd"]),
        ("minlength(2)", ["ab"], ["a"]),
        ("maxlength(2)", ["ab"], ["abc"]),
        ("min(3)", ["3"], ["2", "x"]),
        ("max(3)", ["3"], ["4"]),
        ("range(2,3)", ["2", "3"], ["1", "4"]),
        ("regex(^[a-z]-\\d$)", ["a-1", "A-1"], ["a1"]),
        ("int:min(3)", ["3"], ["2"]),
    ],
)
def test_a_constraint_limits_what_a_parameter_matches(constraint: str, fits: list[str], fails: list[str]) -> None:
    template = Template(f"items/{{id:{constraint}}}")

    assert [value for value in fits if template.match(f"items/{value}") is None] == []
    assert [value for value in fails if template.match(f"items/{value}") is not None] == []


def test_an_absent_optional_parameter_needs_to_meet_no_constraint() -> None:
    assert Template("items/{id:int?}").match("items") == {}


@pytest.mark.parametrize(
    ("template", "named"),
    [
        ("items/{id:datetime}", "'datetime'"),
        ("items/{id=7}", "{id=7}"),
        ("items/{id?}/more", "{id?}"),
        ("{*rest}/more", "{*rest}"),
        ("items/{id", "{id"),
        ("items/{when:regex(^\\d{4}$)}", "regex"),
    ],
)
def test_what_a_template_cannot_hold_is_named(template: str, named: str) -> None:
    with pytest.raises(TemplateError) as refused:
        Template(template)

    assert named in str(refused.value)


def test_the_first_function_by_name_whose_route_and_method_match_is_it_however_specific_others_are() -> None:
    routes = Routes(
        [
            Route("c_special", frozenset({"GET"}), Template("items/special"), "special"),
            Route("b_general", frozenset({"GET"}), Template("items/{id}"), "general"),
            Route("a_other", frozenset({"PUT"}), Template("items/{id}"), "other"),
        ]
    )

    assert routes.find("GET", "/items/special") == ("general", {"id": "special"})
    assert routes.find("PUT", "/items/special") == ("other", {"id": "special"})
    assert routes.find("DELETE", "/items/special") is None


def test_a_slash_at_the_end_of_the_path_makes_no_difference() -> None:
    assert Routes([Route("a", None, Template("items/{id}"), "a")]).find("GET", "/items/7/") == ("a", {"id": "7"})

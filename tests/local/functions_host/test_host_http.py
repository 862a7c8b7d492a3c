"""What an HTTP function sees of a request, and what becomes of its answer: the real process over a real connection."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.local.functions_host.conftest import StartHost
from tests.local.functions_host.running import APPS, Host
from tests.processes import wait_until


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    started = Host("web", tmp_path_factory.mktemp("web"))
    yield started.ready()
    assert started.stop() == 0


@pytest.fixture(scope="module")
def client(host: Host) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{host.address}/api", timeout=20) as opened:
        yield opened


def _seen(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200
    seen: dict[str, Any] = answer.json()
    return seen


def test_the_host_says_that_it_runs_and_what_functions_it_has(host: Host) -> None:
    functions = {f["name"]: f for f in httpx.get(f"{host.address}/admin/functions").json()}

    assert httpx.get(f"{host.address}/admin/host/status").json() == {"state": "Running"}
    assert functions["items"]["invoke_url_template"] == f"{host.address}/api/items/{{id:int}}/{{part?}}"
    assert functions["items"]["config"]["bindings"][0]["methods"] == ["GET"]


def test_headers_come_in_lower_case_and_repeated_ones_joined_by_commas(client: httpx.Client) -> None:
    headers = _seen(client.get("/echo", headers=[("X-Two", "a"), ("x-two", "b, c"), ("X-Empty", "")]))["headers"]

    assert (headers["x-two"], headers["x-empty"]) == ("a,b, c", "")
    assert {name.lower() for name in headers} == set(headers)


def test_repeated_query_parameters_are_joined_and_empty_ones_dropped(client: httpx.Client) -> None:
    seen = _seen(client.get("/echo?a=1&b=&A=2&c=x+y%20z%2B&d"))

    assert seen["query"] == {"a": "1,2", "c": "x y z+"}
    assert seen["url"].endswith("/api/echo?a=1&b=&A=2&c=x+y%20z%2B&d")


def test_route_parameters_are_strings_and_an_absent_optional_one_is_left_out(client: httpx.Client) -> None:
    assert _seen(client.get("/items/7"))["route"] == {"id": "7"}
    assert _seen(client.get("/ITEMS/7/a%20b"))["route"] == {"id": "7", "part": "a b"}


def test_the_path_is_decoded_once_and_an_encoded_slash_stays(client: httpx.Client) -> None:
    assert _seen(client.get("/echo/a%2Fb/c%252Fd/%C3%A9"))["route"] == {"rest": "a%2Fb/c%2Fd/é"}


def test_a_body_with_a_length_arrives(client: httpx.Client) -> None:
    assert _seen(client.post("/echo", content=b"\x00\xffbody"))["body"] == "\x00\xffbody"


def test_a_body_without_a_length_arrives_empty_and_the_connection_goes_on(client: httpx.Client) -> None:
    assert _seen(client.post("/echo", content=iter([b"chunk", b"chunk"])))["body"] == ""
    assert _seen(client.post("/echo", content=b"whole"))["body"] == "whole"


def test_a_body_above_100_mib_is_refused_before_it_is_read(host: Host) -> None:
    with socket.create_connection(("127.0.0.1", host.port), timeout=10) as connection:
        length = 100 * 1024 * 1024 + 1
        connection.sendall(f"POST /api/echo HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n".encode())

        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_large_body_arrives_whole(client: httpx.Client) -> None:
    assert _seen(client.post("/echo", content=b"x" * 5_000_000))["size"] == 5_000_000


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/nowhere"),
        ("GET", "/items/x"),
        ("POST", "/items/7"),
        ("HEAD", "/items/7"),
        ("OPTIONS", "/items/7"),
        ("GET", "/../admin/host/nothing"),
    ],
)
def test_what_no_route_and_method_match_is_404_without_a_body(client: httpx.Client, method: str, path: str) -> None:
    answer = client.request(method, path)

    assert (answer.status_code, answer.content) == (404, b"")
    assert not answer.headers.keys() & {"allow", "content-type"}


def test_a_function_without_methods_takes_any_and_its_name_is_its_route(client: httpx.Client) -> None:
    assert [_seen(client.request(m, "/any_method"))["method"] for m in ("GET", "DELETE")] == ["GET", "DELETE"]


def test_of_overlapping_routes_the_first_function_by_name_is_called(client: httpx.Client) -> None:
    assert client.get("/overlap/special").text == "general"
    assert client.put("/overlap/special").text == "put"


@pytest.mark.parametrize("path", ["/raises", "/cancelled", "/nothing"])
def test_an_exception_is_500_without_a_body(client: httpx.Client, path: str) -> None:
    answer = client.get(path)

    assert (answer.status_code, answer.content) == (500, b"")


def test_an_exception_is_logged_with_its_traceback(host: Host, client: httpx.Client) -> None:
    client.get("/raises")

    line = wait_until(lambda: host.said("'Functions.raises' (Failed)"))[-1]
    assert (line["level"], line["function"]) == ("ERROR", "raises")
    assert "LookupError: the reason" in line["exception"]
    assert 'raise LookupError("the reason")' in line["exception"]


def test_a_bare_text_as_a_result_is_refused_by_name(client: httpx.Client) -> None:
    answer = client.get("/text")

    assert answer.status_code == 501
    assert "HttpResponse" in answer.text


def test_an_answer_keeps_status_headers_and_cookies_and_gets_the_length_of_its_body(client: httpx.Client) -> None:
    answer = client.get("/answer/201")

    assert (answer.status_code, answer.text, answer.headers["content-length"]) == (201, "body", "4")
    assert (answer.headers["x-kept"], answer.headers["content-type"]) == ("yes", "text/plain; charset=utf-8")
    assert answer.headers.get_list("set-cookie") == ["a=1; Path=/", "b=2"]


@pytest.mark.parametrize("status", [204, 304])
def test_these_answers_have_no_body(client: httpx.Client, status: int) -> None:
    assert client.get(f"/answer/{status}").content == b""
    assert client.get("/answer/200").text == "body"


def test_an_answer_to_head_has_no_body_but_its_length(client: httpx.Client) -> None:
    answer = client.head("/echo")

    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) > 100


def test_the_context_tells_invocation_function_and_trace_and_the_working_folder_is_the_apps(
    client: httpx.Client,
) -> None:
    trace = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "tracestate": "a=1"}

    invocation, name, parent, state, folder = client.get("/context", headers=trace).json()

    assert (name, state, folder) == ("context", "a=1", str(APPS / "web"))
    assert re.fullmatch(r"00-0af7651916cd43dd8448eb211c80319c-(?!b7ad6b7169203331)[0-9a-f]{16}-01", parent)
    assert re.fullmatch(r"[0-9a-f-]{36}", invocation)


def test_a_functions_logs_are_lines_of_json_with_function_invocation_and_extra_fields(
    host: Host, client: httpx.Client
) -> None:
    invocation = client.get("/context").json()[0]

    (line,) = wait_until(lambda: [line for line in host.said("placed ord_1") if line["invocationId"] == invocation])
    assert line.keys() == {"time", "level", "message", "logger", "function", "invocationId", "order"}
    told = (line["level"], line["logger"], line["function"], line["order"])
    assert told == ("INFO", "shop", "context", "ord_1")


def test_a_function_that_is_no_coroutine_runs_in_a_thread_and_its_logs_know_it_too(
    host: Host, client: httpx.Client
) -> None:
    assert client.get("/thread").text.startswith("ThreadPoolExecutor")
    assert wait_until(lambda: host.said("from a thread"))[0]["function"] == "thread"


def test_coroutines_run_at_the_same_time(client: httpx.Client) -> None:
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda _: client.get("/slow"), range(20)))

    assert {answer.text for answer in answers} == {"at last"}
    assert sum(answer.elapsed.total_seconds() for answer in answers) > 19


def test_at_the_end_requests_in_work_are_answered(start_host: StartHost) -> None:
    host = start_host("web").ready()
    with ThreadPoolExecutor() as threads:
        answer = threads.submit(httpx.get, f"{host.address}/api/slow", timeout=20)
        wait_until(lambda: host.said("slow begins"))

        assert host.stop() == 0
        assert answer.result().text == "at last"

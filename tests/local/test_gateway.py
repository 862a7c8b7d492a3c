"""Several functions hosts behind one address answer as one host with all their functions would."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.local.functions_host.running import Host, Logging
from tests.processes import free_port, wait_until


class Gateway(Logging):
    """A gateway before some hosts."""

    def __init__(self, state: Path, *hosts: Host) -> None:
        port = free_port()
        self.address = f"http://127.0.0.1:{port}"
        addresses = [f"--host={host.address}" for host in hosts]
        arguments = ["--state", str(state), "--port", str(port), *addresses]
        super().__init__("local.gateway", arguments, f"{self.address}/_health", state / "gateway.log")


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Host, Host]]:
    left, right = (Host(name, tmp_path_factory.mktemp(name)) for name in ("left", "right"))
    yield left.ready(), right.ready()
    left.stop()
    right.stop()


@pytest.fixture(scope="module")
def gateway(hosts: tuple[Host, Host], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    started = Gateway(tmp_path_factory.mktemp("gateway"), *hosts)
    yield started.ready()
    assert started.stop() == 0


def test_a_request_reaches_the_host_of_its_route_as_it_is(gateway: Gateway) -> None:
    headers = [("X-Two", "a"), ("X-Two", "b"), ("Host", "shop.example"), ("Accept-Encoding", "br")]

    answer = httpx.post(f"{gateway.address}/api/left/a%2Fb/c%20d?q=x+y%2F", content=b"body", headers=headers)

    seen = answer.json()
    assert (seen["body"], seen["route"]) == ("body", {"rest": "a%2Fb/c d"})
    assert seen["url"] == "http://shop.example/api/left/a%2Fb/c d?q=x+y%2F"
    assert (seen["headers"]["x-two"], seen["headers"]["accept-encoding"]) == ("a,b", "br")


AS_A_HOST_TAKES_IT = {
    "white space around values": b"GET /api/left HTTP/1.1\r\nHost: shop\r\nX-A: \t a b \t\r\nX-B: \t\r\n\r\n",
    "a value beyond ASCII": b"GET /api/left HTTP/1.1\r\nHost: shop\r\nX-A: \xe9\xc3\xa9\x85\xa0\r\n\r\n",
    "a line twice": b'GET /api/left HTTP/1.1\r\nHost: shop\r\nIf-Match: "a"\r\nif-match: W/"b" , \r\n\r\n',
    "a path of odd signs": b"GET /api/left/a\"<>\\^`{|}'[]@!$&()*+,;=~/b HTTP/1.1\r\nHost: shop\r\n\r\n",
    "an encoded path": b"GET /api/left/%2e%2E/%2f%5C%00%41%zz%/caf%C3%A9%E9 HTTP/1.1\r\nHost: shop\r\n\r\n",
    "dots and nothing in a path": b"GET /api/left/a/../b/./c//d HTTP/1.1\r\nHost: shop\r\n\r\n",
    "a query of odd signs": b'GET /api/left?q=a"b|c{}%zz%2F&&x? HTTP/1.1\r\nHost: shop\r\n\r\n',
    "a long path": b"GET /api/left/" + b"x" * 8_000 + b" HTTP/1.1\r\nHost: shop\r\n\r\n",
    "a body of a GET": b"GET /api/left HTTP/1.1\r\nHost: shop\r\nContent-Length: 4\r\n\r\nbody",
    "an encoded body": b"POST /api/left HTTP/1.1\r\nHost: shop\r\nContent-Encoding: br\r\nContent-Length: 1\r\n\r\nx",
    "chunks": b"POST /api/left HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("what", AS_A_HOST_TAKES_IT)
def test_a_gateway_passes_on_whatever_a_host_takes(gateway: Gateway, hosts: tuple[Host, Host], what: str) -> None:
    at_the_host, through_the_gateway = (_ask(part, AS_A_HOST_TAKES_IT[what]) for part in (hosts[0], gateway))

    assert at_the_host[0] == 203
    assert through_the_gateway == at_the_host


def test_a_host_trims_values_as_azures_does(hosts: tuple[Host, Host]) -> None:
    headers = _ask(hosts[0], AS_A_HOST_TAKES_IT["white space around values"])[1]["headers"]

    assert (headers["x-a"], headers["x-b"]) == ("a b", "")


def test_an_answer_comes_back_as_it_is(gateway: Gateway) -> None:
    answer = httpx.get(f"{gateway.address}/api/left")

    assert (answer.status_code, answer.headers["x-own"]) == (203, "left")
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert len(answer.headers.get_list("date")) == 1


def test_an_answer_to_head_keeps_its_length(gateway: Gateway) -> None:
    answer = httpx.head(f"{gateway.address}/api/left")

    assert (answer.content, int(answer.headers["content-length"]) > 100) == (b"", True)


def test_a_body_without_a_length_arrives_empty_as_at_the_host_itself(gateway: Gateway) -> None:
    assert httpx.post(f"{gateway.address}/api/left", content=iter([b"chunk"])).json()["body"] == ""


def test_routes_of_all_hosts_are_tried_in_the_order_of_the_functions_names(gateway: Gateway) -> None:
    assert httpx.get(f"{gateway.address}/api/left/special").text == "right"
    assert httpx.post(f"{gateway.address}/api/left/special").status_code == 203


def test_what_no_route_matches_is_404_without_a_body(gateway: Gateway) -> None:
    answer = httpx.put(f"{gateway.address}/api/left")

    assert (answer.status_code, answer.content) == (404, b"")


def test_until_all_hosts_are_known_a_gateway_is_not_ready_and_asks_to_try_again(
    hosts: tuple[Host, Host], tmp_path: Path
) -> None:
    late = Host.__new__(Host)
    late.address = f"http://127.0.0.1:{free_port()}"
    gateway = Gateway(tmp_path, hosts[0], late)
    wait_until(lambda: _answers(f"{gateway.address}/_health"))

    assert httpx.get(f"{gateway.address}/_health").status_code == 503
    assert httpx.get(f"{gateway.address}/api/left").status_code == 203
    elsewhere = httpx.get(f"{gateway.address}/api/nowhere")
    assert (elsewhere.status_code, elsewhere.headers["retry-after"]) == (503, "1")
    assert gateway.stop() == 0


def test_a_host_that_goes_away_is_answered_for_and_found_again(tmp_path: Path) -> None:
    host = Host("left", tmp_path).ready()
    gateway = Gateway(tmp_path, host)
    gateway.ready()
    with ThreadPoolExecutor() as threads:
        in_work = threads.submit(httpx.get, f"{gateway.address}/api/slow", timeout=60)
        wait_until(lambda: host.said("slow begins"))
        host.kill()
        cut_off = in_work.result()
    away = httpx.get(f"{gateway.address}/api/left")
    assert httpx.get(f"{gateway.address}/_health").status_code == 503
    again = host.again().ready()

    assert (cut_off.status_code, cut_off.headers["retry-after"]) == (502, "1")
    assert (away.status_code, away.headers["retry-after"], away.json()["status"]) == (503, "1", 503)
    assert away.headers["content-type"] == "application/problem+json"
    assert httpx.get(f"{gateway.address}/api/left").status_code == 203
    assert (gateway.stop(), again.stop()) == (0, 0)


def _ask(part: Host | Gateway, request: bytes) -> tuple[int, Any]:
    """What the part answers to these very bytes: clients would mend them."""
    address = urlsplit(part.address)
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        connection.sendall(request)
        answer = HTTPResponse(connection)
        answer.begin()
        return answer.status, json.loads(answer.read())


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code > 0
    except httpx.TransportError:
        return False

"""The smoke test, against a server on this machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from scripts.live import Unanswered, main, running, wait


class App(HTTPServer):
    """Gives its answers one after another, the last for ever."""

    def __init__(self, *answers: tuple[int, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = list(answers)
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


class Handler(BaseHTTPRequestHandler):
    server: App

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        status, body = self.server.answers.pop(0) if len(self.server.answers) > 1 else self.server.answers[0]
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def app() -> Iterator[App]:
    with App() as app:
        thread = Thread(target=app.serve_forever, args=(0.01,))
        thread.start()
        yield app
        app.shutdown()
        thread.join()


def live(commit: str) -> tuple[int, bytes]:
    return 200, json.dumps({"status": "live", "version": "1", "commit": commit}).encode()


def test_it_waits_past_a_start_and_the_old_version_until_the_commit_answers(app: App) -> None:
    app.answers = [(503, b""), (200, b"<html>"), live("old"), live("new")]

    assert wait(app.url, "orders", "new", pause=0) is None
    assert app.asked == ["/api/health/orders/live"] * 4


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (live("old"), "it runs old"),
        ((500, b""), "<HTTPError 500: 'Internal Server Error'>"),
        ((200, b"[]"), "list indices"),
        ((200, b'{"status": "live"}'), "KeyError('commit')"),
        ((200, b"no JSON"), "JSONDecodeError"),
    ],
)
def test_it_gives_up_and_says_what_came_instead(app: App, answer: tuple[int, bytes], said: str) -> None:
    app.answers = [answer]

    complaint = wait(app.url, "orders", "new", patience=0, pause=0.001)

    assert complaint is not None
    assert complaint.startswith("orders doesn't run new after 0 s: ")
    assert said in complaint


def test_nobody_there_is_no_answer() -> None:
    with App() as gone:
        address = gone.url

    with pytest.raises(Unanswered, match="refused"):
        running(address, "orders")


@pytest.mark.parametrize("url", ["", "shop.example.com", "file:///etc/passwd"])
def test_what_is_no_address_of_the_web_is_refused(url: str) -> None:
    with pytest.raises(Unanswered, match="is no address: it should begin with https://"):
        running(url, "orders")


def test_every_context_is_waited_for_at_its_own_address(app: App, capsys: pytest.CaptureFixture[str]) -> None:
    app.answers = [live("new")]
    apps = [{"context": "orders", "name": "a", "url": app.url}, {"context": "catalog", "name": "b", "url": app.url}]

    assert main("new", ["catalog", "orders"], apps) is None

    assert app.asked == ["/api/health/catalog/live", "/api/health/orders/live"]
    assert capsys.readouterr().out == "catalog runs new\norders runs new\n"
    assert main("new", [], apps) is None
    assert app.asked[2:] == ["/api/health/orders/live", "/api/health/catalog/live"]
    assert main("new", ["gifts"], apps) == "gifts has no app here, only orders, catalog have"

"""The console, in a browser: whoever is called at night finds the order, the reason and the button."""

import os
import signal
import sqlite3
from base64 import b64decode
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import text_to_be_present_in_element

from local.cosmos.query import extracted
from tests.e2e.browser import Looking, faults, needs_browser
from tests.e2e.stack import Stack, small_order, stack
from tests.processes import until

pytestmark = [pytest.mark.stack, needs_browser]

VIEWS = {
    "orders": "Orders",
    "flow": "Flow",
    "waiting": "What waits",
    "parked": "Parked messages",
    "disagreements": "Disagreements",
    "stock": "Stock that runs out",
    "health": "Health",
}
SOON = {
    "RETRY_GIVE_UP_SECONDS": "6",
    "ORDERS_FIRST_RESEND_SECONDS": "100000",
    "ORDERS_LONGEST_RESEND_SECONDS": "100000",
    "OPERATIONS_RECONCILE_WINDOW_SECONDS": "8",
}
"""Settings with which what can't succeed is parked soon, nothing but a replay repairs it, and what differs is found."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SOON.items():
            patch.setenv(name, value)
        with stack(tmp_path_factory.mktemp("console") / "state", "--split") as found:
            yield found


@pytest.fixture
async def shop(running: Stack) -> AsyncIterator["Shop"]:
    async with (
        running.client("admin") as admin,
        running.client("support") as support,
        running.client("warehouse") as warehouse,
    ):
        shop = Shop(admin, support, warehouse)
        await shop.sell("MUG-1")
        yield shop


class Shop:
    """What happens to the shop while somebody looks at the console."""

    def __init__(self, admin: httpx.AsyncClient, support: httpx.AsyncClient, warehouse: httpx.AsyncClient) -> None:
        self._admin = admin
        self._support = support
        self._warehouse = warehouse

    async def sell(self, sku: str, on_hand: int = 1000) -> None:
        """A product that can be bought."""
        product = {"sku": sku, "name": sku, "price": {"amount": 250, "currency": "GBP"}}
        (await self._admin.post("products/import", json={"products": [product]})).raise_for_status()
        (await self._warehouse.put(f"stock/{sku}", json={"onHand": on_hand})).raise_for_status()

        async def has_a_price() -> bool:
            return (await self._admin.get(f"prices/{sku}")).status_code == 200

        await until(has_a_price)

    async def place(self, sku: str = "MUG-1", quantity: int = 1) -> str:
        """Somebody buys it."""
        answer = await self._support.post("orders", json=small_order(sku, quantity, customerId="ada"))
        answer.raise_for_status()
        return str(answer.json()["orderId"])

    async def waiting_for_dispatch(self) -> int:
        """How many orders the warehouse may send."""
        found = await self._support.get("orders", params={"status": "confirmed", "limit": "100"})
        return len(found.raise_for_status().json()["value"])

    async def dispatch(self, order_id: str) -> None:
        """The warehouse sends it, as soon as it may."""

        async def is_sent() -> bool:
            note = {"carrier": "Royal Mail", "trackingNumber": "RM1"}
            return (await self._warehouse.post(f"shipments/shp_{order_id}/dispatch", json=note)).status_code == 200

        await until(is_sent)


class Console(Looking):
    """The console, as somebody who operates the shop uses it."""

    def __init__(self, browser: Chrome, running: Stack) -> None:
        self.address = f"{running.api}/console"
        super().__init__(browser, self.address)

    def sign_in(self, role: str) -> "Console":
        """At the issuer, which sends the browser back."""
        self.click("#sign-in")
        self.say_who(role)
        self.find("#sign-out")
        return self

    def open(self, view: str) -> None:
        """Follow a link to the view, until it is there."""
        self.browser.execute_script("location.hash = arguments[0]", f"#/{view}")
        name, _, order_id = view.partition("?")[0].partition("/")
        self.reads(f"Order {order_id}" if order_id else VIEWS[name], "h1")

    def reads(self, text: str, selector: str = "#view") -> None:
        """Once it says so, without anybody loading anything anew."""
        self.wait.until(text_to_be_present_in_element((By.CSS_SELECTOR, selector), text), f"{selector}: {text}")

    def fits(self, width: int) -> None:
        """Once nothing of it is wider than the window, which is so wide."""
        script = "return innerWidth === arguments[0] && document.documentElement.scrollWidth <= innerWidth"
        self.wait.until(lambda browser: browser.execute_script(script, width), f"{width} pixels")

    def number(self, selector: str) -> int:
        """The number that stands there now."""
        script = "return Number(document.querySelector(arguments[0])?.textContent ?? 0)"
        return int(self.browser.execute_script(script, selector))

    def first_content(self, view: str) -> float:
        """After how many milliseconds a view that is loaded anew, with nothing kept of it, shows what it read."""
        self.browser.get("about:blank")
        self.browser.execute_cdp_cmd("Network.enable", {})
        self.browser.execute_cdp_cmd("Network.setCacheDisabled", {"cacheDisabled": True})
        noting = {
            "source": "new MutationObserver((_, seen) => {"
            "if (document.getElementById('freshness')?.textContent !== 'Up to date') return;"
            "window.shownAt = performance.now(); seen.disconnect();"
            "}).observe(document, { subtree: true, childList: true });"
        }
        noted = self.browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", noting)
        self.browser.get(f"{self.address}#/{view}")
        taken = float(self.wait.until(lambda browser: browser.execute_script("return window.shownAt")))
        self.browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", noted)
        return taken

    def health_of(self, context: str) -> str:
        """Where it is said how a context fares."""
        return f"[data-context={context}]"

    def requests(self) -> list[str]:
        """What the page has loaded since it was opened, itself included."""
        script = "return performance.getEntriesByType('resource').map((each) => each.name)"
        return [self.address, *self.browser.execute_script(script)]


@pytest.fixture
def console(running: Stack, browser: Chrome) -> Iterator[Console]:
    yield Console(browser, running)
    assert faults(browser) == []


async def test_an_order_that_is_placed_is_seen_to_move_from_state_to_state(console: Console, shop: Shop) -> None:
    console.sign_in("support")
    order_id = await shop.place()
    row = f"tr:has(#order-{order_id})"
    console.reads("Confirmed", row)
    await shop.dispatch(order_id)
    console.reads("Completed", row)

    console.click(f"#order-{order_id}")

    console.reads("The goods are on their way, and the money has come in.")
    console.reads("Payment captured", ".timeline")
    assert console.find(".timeline .gap").text.endswith("later")


async def test_what_is_under_way_and_what_was_placed_is_counted_and_charted(console: Console, shop: Shop) -> None:
    console.sign_in("support").open("flow")
    console.reads("Waits for dispatch")
    # What came to orders of before is counted with the next run of the timer, up or down.
    before = await shop.waiting_for_dispatch()
    console.wait.until(lambda _: console.number("tr:has(#state-dispatch) .number") == before, f"{before} of before")

    await shop.place()

    console.wait.until(lambda _: console.number("tr:has(#state-dispatch) .number") == before + 1, f"{before} and one")
    script = "return [...document.querySelectorAll('figure canvas')].map((each) => each.clientHeight)"
    assert console.browser.execute_script(script) == [220, 220]


@pytest.mark.long
async def test_an_order_that_was_refused_says_which_product_was_short(console: Console, shop: Shop) -> None:
    await shop.sell("VASE-1", 2)
    order_id = await shop.place("VASE-1", 3)
    console.sign_in("support").find("#wanted").send_keys(order_id, Keys.ENTER)

    console.reads("Short: VASE-1, 3 wanted, 2 there")
    console.open("stock")
    console.reads("VASE-1")


async def test_what_is_stuck_is_found_with_its_reason_and_a_replay_sets_it_going(
    console: Console, running: Stack, shop: Shop
) -> None:
    await running.fail("payment_provider", kind="status", status=503)
    order_id = await shop.place()
    console.sign_in("admin").open("waiting?waiting=payment")
    console.click(f"#order-{order_id}")
    console.reads("payments to answer AuthorisePayment")
    console.reads("payments has not said yet whether the money is held")
    console.find("#view button[id^=Replay-payments-]")  # among what is parked of the order

    console.open("parked")
    console.reads("AuthorisePayment")
    await running.mend("payment_provider")
    console.click("button[id^=Replay-payments-]")
    console.reads("the queue payments", "#dialog")
    console.click("#confirm")

    console.reads("Nothing is parked.")
    console.open(f"order/{order_id}")
    console.reads("Waits for dispatch")


@pytest.mark.long
async def test_a_parked_message_is_discarded_for_a_reason(console: Console, running: Stack, shop: Shop) -> None:
    await running.fail("payment_provider", kind="status", status=503)
    order_id = await shop.place()
    console.sign_in("admin").open("parked")
    console.find("button[id^=Discard-payments-]")
    await running.mend("payment_provider")

    console.click("button[id^=Discard-payments-]")
    console.click("#confirm")  # without a reason nothing is done
    assert console.find("#reason").get_attribute("validationMessage")
    console.find("#reason").send_keys("bought anew by telephone")
    console.click("#confirm")

    console.reads("Nothing is parked.")
    async with running.client("admin") as admin:
        [entry] = [each for each in (await admin.get("audit/payments")).json()["value"] if "reason" in each["after"]]
    assert entry["after"]["reason"] == "bought anew by telephone"
    assert order_id in str(entry["before"])


async def test_what_does_not_agree_is_shown_side_by_side_until_an_admin_lets_it_be(
    console: Console, running: Stack, shop: Shop
) -> None:
    order_id = await shop.place()
    await shop.dispatch(order_id)
    console.sign_in("admin").open(f"order/{order_id}")
    console.reads("Payment captured", ".timeline")
    with stored_orders(running) as (db, orders):
        db.execute(f"UPDATE {orders} SET body = json_set(body, '$.total', 251) WHERE id = ?", [order_id])
        db.commit()

    console.open("disagreements")

    console.reads("It comes to 2.51 GBP, and payments asked for 2.50 GBP.")
    console.reads("£2.51", "section[aria-label=Orders]")
    console.reads("£2.50", "section[aria-label^=Payments]")
    console.click(f"#Let-be-{order_id}")
    console.find("#reason").send_keys("agreed with the customer")
    console.click("#confirm")
    console.reads("Nothing disagrees.")


async def test_a_context_that_stops_turns_red_and_recovers(console: Console, running: Stack) -> None:
    console.sign_in("support").open("health")
    console.reads("ready", console.health_of("shipping"))
    stopped = int(running.parts()["functions_host_shipping"]["pid"])

    os.kill(stopped, signal.SIGSTOP)
    try:
        console.reads("doesn't answer", console.health_of("shipping"))
        assert "bad" in str(console.find(f"{console.health_of('shipping')} .light").get_attribute("class"))
        console.reads("ready", console.health_of("orders"))
    finally:
        os.kill(stopped, signal.SIGCONT)

    console.reads("ready", console.health_of("shipping"))


@pytest.mark.long
async def test_what_a_reader_may_not_do_is_not_offered(console: Console, running: Stack, shop: Shop) -> None:
    await running.fail("payment_provider", kind="status", status=503)
    await shop.place()
    console.sign_in("support").open("parked")
    console.reads("AuthorisePayment")
    await running.mend("payment_provider")

    assert console.browser.find_elements(By.CSS_SELECTOR, "#view button") == []
    console.click("#sign-out")
    console.sign_in("warehouse")
    console.reads("It takes the role")


@pytest.mark.long
async def test_a_page_that_hears_nothing_says_since_when(console: Console, running: Stack) -> None:
    console.sign_in("support")
    console.reads("Up to date", "#freshness")
    stopped = int(running.parts()["functions_host_orders"]["pid"])

    os.kill(stopped, signal.SIGSTOP)
    try:
        console.reads("What you see is of", "#freshness")
    finally:
        os.kill(stopped, signal.SIGCONT)

    console.reads("Up to date", "#freshness")


@pytest.mark.long
async def test_nothing_of_a_sign_in_stays_in_the_address_and_its_end_is_told(console: Console) -> None:
    console.browser.get(f"{console.address}#/stock")
    console.sign_in("support")
    console.reads("Stock that runs out")
    assert console.browser.current_url == f"{console.address}#/stock"

    end = "const kept = JSON.parse(sessionStorage['orderflow.signed-in']);" + (
        "sessionStorage['orderflow.signed-in'] = JSON.stringify({ ...kept, endsAt: Date.now() - 1 })"
    )
    console.browser.execute_script(end)

    console.reads("Your sign-in has ended.")


@pytest.mark.long
async def test_an_answer_to_a_sign_in_that_nobody_began_here_is_refused(console: Console, running: Stack) -> None:
    console.browser.get("about:blank")
    console.browser.get(f"{console.address}#code=stolen&state=made-up")

    console.reads("This isn't the answer to a sign-in that was begun here.")
    assert console.browser.current_url == console.address


@pytest.mark.long
async def test_the_console_is_used_by_the_keyboard(console: Console, shop: Shop) -> None:
    order_id = await shop.place()
    console.sign_in("support")
    console.reads("Up to date", "#freshness")

    def held() -> dict[str, Any]:
        script = (
            "const at = document.activeElement, { outlineStyle: outline } = getComputedStyle(at);"
            "return { id: at.id, text: at.textContent, outline, top: at.getBoundingClientRect().top };"
        )
        found: dict[str, Any] = console.browser.execute_script(script)
        return found

    def press(key: str) -> dict[str, Any]:
        console.browser.switch_to.active_element.send_keys(key)
        return held()

    assert press(Keys.TAB)["id"] == "skip"
    assert held()["top"] >= 0
    assert press(Keys.TAB)["id"] == "wanted"
    assert held()["outline"] == "solid"
    press(order_id + Keys.ENTER)
    console.reads(order_id, "h1")
    assert held()["text"] == f"Order {order_id}"


async def test_a_page_load_makes_fewer_than_ten_requests_and_each_further_look_only_asks_what_is_new(
    console: Console, shop: Shop
) -> None:
    order_id = await shop.place()
    console.sign_in("support")
    for view in (*VIEWS, f"order/{order_id}"):
        console.browser.get("about:blank")
        console.browser.get(f"{console.address}#/{view}")
        console.reads("Up to date", "#freshness")
        loaded = {*console.requests(), f"{console.address}/icon.svg"}
        assert len(loaded) < 10, loaded

    script = (
        "const asked = performance.getEntriesByType('resource').filter((each) => each.name.includes('/operations/'));"
        "return asked.map((each) => each.responseStatus)"
    )
    console.wait.until(lambda browser: 304 in browser.execute_script(script))


async def test_no_script_on_the_console_reaches_another_host_and_nothing_is_styled_in_place(
    running: Stack, browser: Chrome
) -> None:
    Console(browser, running).find("#sign-in")
    browser.execute_async_script("fetch('http://127.0.0.2:9/').catch(() => 0).finally(arguments[0])")
    browser.execute_script("document.body.setAttribute('onclick', '1'); document.body.setAttribute('style', 'top: 0')")

    told = faults(browser)
    for rule in ("connect-src", "script-src", "style-src"):
        assert any(rule in each for each in told), rule


@pytest.mark.long
async def test_each_view_fits_a_narrow_window_as_well_as_a_wide_one(
    console: Console, shop: Shop, tmp_path: Path
) -> None:
    order_id = await shop.place()
    await shop.dispatch(order_id)
    console.sign_in("admin")
    for view in (*VIEWS, f"order/{order_id}"):
        console.open(view)
        console.reads("Up to date", "#freshness")
        for width in (360, 1280):
            for scheme in ("light", "dark"):
                picture(console.browser, width, scheme, tmp_path / f"{view.partition('/')[0]}-{width}-{scheme}.png")
            console.fits(width)


def picture(browser: Chrome, width: int, scheme: str, to: Path) -> None:
    """Of the whole page."""
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    taken = browser.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True})
    to.write_bytes(b64decode(taken["data"]))


@pytest.mark.long
async def test_with_100_000_orders_stored_each_view_has_its_first_content_within_a_second(
    console: Console, running: Stack, shop: Shop
) -> None:
    order_id = await shop.place()
    await shop.dispatch(order_id)
    console.sign_in("support").open(f"order/{order_id}")
    console.reads("Payment captured", ".timeline")
    for view in VIEWS:  # what makes the stand-in make its indexes, before there is much
        console.first_content(view)
    assert copy_order(running, order_id, 100_000) > 100_000

    taken = {view: min(console.first_content(view) for _ in range(3)) for view in (*VIEWS, f"order/{order_id}")}

    assert max(taken.values()) < 1000, taken


@contextmanager
def stored_orders(running: Stack) -> Iterator[tuple[sqlite3.Connection, str]]:
    """What the stand-in has of orders, for a hand in its store: the file and the table."""
    with closing(sqlite3.connect(running.state / "cosmos" / "cosmos.sqlite", timeout=60)) as db:
        db.create_function("extracted", 2, extracted, deterministic=True)
        [number] = db.execute("SELECT number FROM resources WHERE path LIKE '%/colls/orders'").fetchone()
        yield db, f"documents_{number}"


def copy_order(running: Stack, order_id: str, times: int) -> int:
    """Have an order stored as often again, each time under another id: how many there are now."""
    with stored_orders(running) as (db, orders):
        [body] = db.execute(f"SELECT body FROM {orders} WHERE id = ?", [order_id]).fetchone()
        put = f"INSERT INTO {orders} (pk, id, etag, body) VALUES (?, ?, 'copied', ?)"
        for first in range(0, times, 1000):  # the stand-in writes meanwhile
            ids = [f"ord_{number:032}" for number in range(first, first + 1000)]
            db.executemany(put, [(f'"{id}"', id, body.replace(order_id, id)) for id in ids])
            db.commit()
        return int(db.execute(f"SELECT count(*) FROM {orders}").fetchone()[0])

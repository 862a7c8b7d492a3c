"""The API's page, in a browser: somebody signs in at the issuer and tries an operation."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import number_of_windows_to_be, text_to_be_present_in_element

from tests.e2e.browser import Looking, faults, needs_browser
from tests.e2e.stack import Stack, stack

pytestmark = [pytest.mark.stack, needs_browser]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with stack(tmp_path_factory.mktemp("page") / "state") as found:
        yield found


class Page(Looking):
    """The API's page, as somebody who reads it uses it."""

    def sign_in(self, role: str) -> None:
        """At the issuer, in the window that the page opens for it and closes."""
        self.find(".scheme-container .authorize").click()
        self.find("[aria-label='Apply given OAuth2 credentials']").click()
        self.wait.until(number_of_windows_to_be(2))
        page, issuer = self.browser.window_handles
        self.browser.switch_to.window(issuer)
        self.say_who(role)
        self.wait.until(number_of_windows_to_be(1))
        self.browser.switch_to.window(page)
        self.find("[aria-label='Remove authorization']")  # there is a token
        self.find(".modal-ux .btn-done").click()

    def open(self, operation: str, **parameters: str) -> None:
        """Open the operation, and fill in its parameters."""
        self.operation = f"#operations-{operation}"
        self.find(f"{self.operation} .opblock-summary-control").click()
        for name, value in parameters.items():
            field = self.find(f"{self.operation} tr[data-param-name={name}] input")
            field.clear()
            field.send_keys(value)

    def execute(self, status: int) -> str:
        """Send the request; what the answer says, once it has this status."""
        self.find(f"{self.operation} .execute").click()
        shown = (By.CSS_SELECTOR, f"{self.operation} .live-responses-table .response .response-col_status")
        self.wait.until(text_to_be_present_in_element(shown, str(status)))
        answer = self.find(f"{self.operation} .live-responses-table .response .response-col_description")
        self.browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", answer)
        return answer.text


async def test_a_reader_signs_in_on_the_page_and_calls_an_operation(
    running: Stack, browser: Chrome, tmp_path: Path
) -> None:
    async with running.client("admin") as admin:
        mug = {"sku": "MUG-1", "name": "Enamel mug", "price": {"amount": 250, "currency": "GBP"}}
        (await admin.post("products/import", json={"products": [mug]})).raise_for_status()

    page = Page(browser, f"{running.api}/docs")
    page.open("products-get_product", sku="MUG-1")
    assert "unauthenticated" in page.execute(401)
    page.sign_in("warehouse")
    said = page.execute(200)
    browser.save_screenshot(tmp_path / "page.png")

    assert '"name": "Enamel mug"' in said
    assert faults(browser) == []


def test_no_script_on_the_page_reaches_another_host(running: Stack, browser: Chrome) -> None:
    Page(browser, f"{running.api}/docs").find(".scheme-container .authorize")

    browser.execute_async_script("fetch('http://127.0.0.2:9/').catch(() => 0).finally(arguments[0])")

    assert any("connect-src" in each for each in faults(browser))

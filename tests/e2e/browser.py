"""A browser, for what only somebody sees who looks at a page."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.expected_conditions import element_to_be_clickable
from selenium.webdriver.support.ui import Select, WebDriverWait

_MISSING = " and ".join(name for name in ("chromium", "chromedriver") if not shutil.which(name))

needs_browser = pytest.mark.skipif(
    bool(_MISSING) and not os.environ.get("CI"),
    reason=f"{_MISSING} not on PATH: apt-get install chromium chromium-driver",
)


@contextmanager
def chromium() -> Iterator[Chrome]:
    """Chromium without a window."""
    assert not _MISSING
    options = ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    # Containers let nobody make a sandbox, and their /dev/shm is small.
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1280,1400"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with Chrome(options, Service(shutil.which("chromedriver"))) as opened:
        yield opened


class Looking:
    """Somebody who looks at a page, and waits for what it shows."""

    def __init__(self, browser: Chrome, address: str) -> None:
        self.browser = browser
        # What a page draws anew is another element from then on.
        self.wait = WebDriverWait(browser, 30, ignored_exceptions=[StaleElementReferenceException])
        browser.get(address)

    def find(self, selector: str) -> WebElement:
        """The one that can be clicked, once it is there."""
        return self.wait.until(element_to_be_clickable((By.CSS_SELECTOR, selector)), selector)

    def click(self, selector: str) -> None:
        """Click the one that can be, though the page be drawn anew meanwhile."""

        def is_clicked(browser: Chrome) -> bool:
            found = element_to_be_clickable((By.CSS_SELECTOR, selector))(browser)
            if found:
                found.click()
            return bool(found)

        self.wait.until(is_clicked, selector)

    def say_who(self, role: str) -> None:
        """On the page of the local issuer."""
        Select(self.find("select[name=role]")).select_by_visible_text(role)
        self.find("button").click()


def faults(browser: Chrome) -> list[str]:
    """What the console was told of scripts that failed, and of what the page's policy forbade."""
    told = [each for each in browser.get_log("browser") if each["level"] == "SEVERE"]
    return [each["message"] for each in told if each["source"] != "network"]

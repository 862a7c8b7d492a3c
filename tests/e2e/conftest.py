"""What the tests of pages share."""

from collections.abc import Iterator

import pytest
from selenium.webdriver import Chrome

from tests.e2e.browser import chromium


@pytest.fixture
def browser() -> Iterator[Chrome]:
    """A browser of the test's own."""
    with chromium() as opened:
        yield opened

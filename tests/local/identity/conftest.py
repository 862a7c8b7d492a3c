"""One issuer for all tests: none depends on which keys it has."""

from collections.abc import Iterator

import pytest

from tests.local.identity.running import Identity


@pytest.fixture(scope="session")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Identity]:
    started = Identity(tmp_path_factory.mktemp("identity"))
    started.start()
    yield started
    started.stop()

"""One issuer for all tests: none depends on which keys it has."""

from collections.abc import Iterator

import pytest

from tests.local.identity.running import Identity
from tests.processes import write_keys


@pytest.fixture(scope="session")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Identity]:
    state = tmp_path_factory.mktemp("identity")
    write_keys(state)
    started = Identity(state)
    started.start()
    yield started
    started.stop()

"""The deployment that a test looks at: each environment's."""

import pytest

from tests.infra.deployment import ENVIRONMENTS, Deployment, deployment


@pytest.fixture(params=ENVIRONMENTS)
def deployed(request: pytest.FixtureRequest) -> Deployment:
    """What each environment deploys, in turn."""
    return deployment(request.param)

"""What `parked` of the command line says to what can't be meant."""

import pytest
from typer.testing import CliRunner

from local import topology
from local.verify.parked import app


@pytest.mark.parametrize("arguments", [("replay", "oders", "1"), ("discard", "", "1", "--reason", "Paid by hand")])
def test_a_context_that_there_is_none_of_is_refused_with_those_that_there_are(arguments: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "300"})

    assert result.exit_code == 2
    assert f"there is no context {arguments[1]}" in result.output
    assert ", ".join(topology.load().contexts) in result.output

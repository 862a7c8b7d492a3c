"""Settings come from the environment, then from local.settings.json; host.json's defaults are Azure's."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import pytest

from local.functions_host import settings
from local.functions_host.settings import HostJson
from local.functions_host.worker import AppRefused, Function


def _function(**trigger: object) -> Function:
    return Function("drain", "1", ({"type": "serviceBusTrigger", "name": "msg", **trigger},))


def test_the_environment_wins_over_local_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IN_BOTH", "environment")
    monkeypatch.delenv("IN_FILE", raising=False)
    content = {"IsEncrypted": False, "Values": {"IN_BOTH": "file", "IN_FILE": "file"}}
    (tmp_path / "local.settings.json").write_text(json.dumps(content))

    settings.load_local_settings(tmp_path)

    assert (os.environ.pop("IN_FILE"), os.environ["IN_BOTH"]) == ("file", "environment")


def test_encrypted_local_settings_are_refused(tmp_path: Path) -> None:
    (tmp_path / "local.settings.json").write_text('{"IsEncrypted": true, "Values": {}}')

    with pytest.raises(AppRefused, match="encrypted"):
        settings.load_local_settings(tmp_path)


def test_a_name_in_percent_signs_is_a_setting_anywhere_in_a_trigger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAGE", "test")

    trigger = settings.trigger_of(_function(queueName="%STAGE%-orders-%STAGE%", isSessionsEnabled=False))

    assert trigger["queueName"] == "test-orders-test"


def test_a_missing_setting_is_named_with_its_function() -> None:
    with pytest.raises(AppRefused, match=r"function drain: the setting NOWHERE .* is missing"):
        settings.trigger_of(_function(queueName="%NOWHERE%"))


def test_without_a_host_json_the_defaults_are_azures(tmp_path: Path) -> None:
    assert settings.read_host_json(tmp_path) == HostJson("api", 0, 16 * (os.cpu_count() or 1), 300.0)


def test_host_json_sets_prefix_and_concurrency(tmp_path: Path) -> None:
    bus = {"prefetchCount": 5, "maxConcurrentCalls": 3, "maxAutoLockRenewalDuration": "01:02:03"}
    (tmp_path / "host.json").write_text(json.dumps({"extensions": {"http": {"routePrefix": ""}, "serviceBus": bus}}))

    assert settings.read_host_json(tmp_path) == HostJson("", 5, 3, 3723.0)


def test_a_setting_of_host_json_without_effect_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "host.json").write_text('{"extensions": {"http": {"dynamicThrottlesEnabled": true}}}')

    with caplog.at_level(logging.WARNING):
        settings.read_host_json(tmp_path)

    assert "extensions.http.dynamicThrottlesEnabled has no effect" in caplog.text


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("{", "host.json isn't JSON: .* line 1 column 2"),
        ("[]", "host.json must be a JSON object"),
        ('{"extensions": {"serviceBus": {"maxConcurrentCalls": "16"}}}', "maxConcurrentCalls must be .*, but is '16'"),
        ('{"extensions": {"serviceBus": {"maxConcurrentCalls": 0}}}', "maxConcurrentCalls must be .*, but is 0"),
        ('{"extensions": {"serviceBus": {"prefetchCount": -1}}}', "prefetchCount must be .*, but is -1"),
        (
            '{"extensions": {"serviceBus": {"maxAutoLockRenewalDuration": "5 minutes"}}}',
            "maxAutoLockRenewalDuration must be like 00:05:00, but is '5 minutes'",
        ),
    ],
)
def test_a_mistake_in_host_json_is_named(tmp_path: Path, content: str, complaint: str) -> None:
    (tmp_path / "host.json").write_text(content)

    with pytest.raises(AppRefused, match=complaint):
        settings.read_host_json(tmp_path)


def test_local_settings_that_are_no_json_are_refused(tmp_path: Path) -> None:
    (tmp_path / "local.settings.json").write_text('{"Values": {"A": "1",}}')

    with pytest.raises(AppRefused, match=r"local\.settings\.json isn't JSON: .* line 1"):
        settings.load_local_settings(tmp_path)


def test_leaving_settlement_to_the_function_is_refused(tmp_path: Path) -> None:
    (tmp_path / "host.json").write_text('{"extensions": {"serviceBus": {"autoCompleteMessages": false}}}')

    with pytest.raises(AppRefused, match="autoCompleteMessages"):
        settings.read_host_json(tmp_path)

"""API Management stands before the apps of staging and prod, and sends each request where the topology says."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.infra.compiler import needs_compiler, sources
from tests.infra.deployment import CONTEXTS, INFRA, TOPOLOGY, Deployment, deployment, referred

SERVICE = "Microsoft.ApiManagement/service"
WITH, WITHOUT = ["prod", "staging"], ["dev", "small"]


def policy(deployed: Deployment) -> ElementTree.Element:
    """What every request passes."""
    return ElementTree.fromstring(deployed.one(f"{SERVICE}/apis/policies")["properties"]["value"])


def routes(deployed: Deployment) -> dict[str, str]:
    """Which context answers which part of the API."""
    found = {}
    for when in policy(deployed).iter("when"):
        for backend in when.iter("set-backend-service"):
            for area in re.findall('"([^"]+)"', when.attrib["condition"].partition(".Contains")[0]):
                assert area not in found
                found[area] = backend.attrib["backend-id"]
    return found


@pytest.mark.parametrize("environment", WITHOUT)
def test_a_small_installation_has_none(environment: str) -> None:
    assert not [each for each in deployment(environment).resources if each["type"].startswith(SERVICE)]


@pytest.mark.parametrize("environment", WITH)
def test_it_reaches_the_apps_through_the_network(environment: str) -> None:
    deployed = deployment(environment)
    service = deployed.one(SERVICE)
    assert service["sku"] == {"name": "StandardV2", "capacity": 1}
    assert service["properties"]["virtualNetworkType"] == "External"
    subnet = service["properties"]["virtualNetworkConfiguration"]["subnetResourceId"].rsplit("/", 1)[-1]
    subnets = deployed.one("Microsoft.Network/virtualNetworks")["properties"]["subnets"]
    (found,) = [each for each in subnets if each["name"] == subnet]
    (delegation,) = found["properties"]["delegations"]
    assert delegation["properties"]["serviceName"] == "Microsoft.Web/serverFarms"


@pytest.mark.parametrize("environment", WITH)
def test_each_path_goes_to_its_context_and_so_does_its_health(environment: str) -> None:
    paths = {path: app["context"] for app in TOPOLOGY["apps"] for path in app["paths"]}
    assert routes(deployment(environment)) == paths | {f"health/{context}": context for context in CONTEXTS}


@pytest.mark.parametrize("environment", WITH)
def test_of_a_path_whose_second_part_tells_the_context_two_are_looked_at(environment: str) -> None:
    deployed = deployment(environment)
    (area,) = (each for each in policy(deployed).iter("set-variable") if each.attrib["name"] == "area")
    (listed,) = re.findall(r"new \[\] {(.+)}.Contains\(parts\[1\]\)", area.attrib["value"])

    two = {path.partition("/")[0] for path in routes(deployed) if "/" in path}
    assert set(re.findall('"([^"]+)"', listed)) == two


@pytest.mark.parametrize("environment", WITH)
def test_the_path_is_kept(environment: str) -> None:
    deployed = deployment(environment)
    assert deployed.one(f"{SERVICE}/apis")["properties"]["path"] == "api"
    sites = {site["id"]: context for context, site in deployed.sites().items()}
    for context, backend in deployed.named(f"{SERVICE}/backends").items():
        assert backend["url"].startswith("[format('https://{0}/api', ")
        assert sites[referred(backend["url"], "defaultHostName")] == context


@pytest.mark.parametrize("environment", WITH)
def test_every_method_passes_and_no_key_is_asked_for(environment: str) -> None:
    deployed = deployment(environment)
    operations = deployed.named(f"{SERVICE}/apis/operations").values()
    assert {(each["method"], each["urlTemplate"]) for each in operations} == {
        (method, "/*") for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
    }
    assert deployed.one(f"{SERVICE}/apis")["properties"]["subscriptionRequired"] is False


@pytest.mark.parametrize("environment", WITH)
def test_a_caller_is_held_to_a_rate_and_a_body_to_the_largest_that_an_app_takes(environment: str) -> None:
    inbound = policy(deployment(environment))
    (rate,) = inbound.iter("rate-limit-by-key")
    assert (rate.attrib["calls"], rate.attrib["renewal-period"]) == ("300", "60")
    assert "IpAddress" in rate.attrib["counter-key"]
    taken = re.findall(r"max_body=(\d+) \* MIB", "".join(path.read_text() for path in handlers()))
    largest = max(map(int, taken)) * 1024 * 1024
    assert [
        when
        for when in inbound.iter("when")
        if "Content-Length" in when.attrib["condition"] and f"> {largest})" in when.attrib["condition"]
    ]


def handlers() -> list[Path]:
    """Where the limits of bodies are written."""
    return sorted((INFRA.parent / "services").glob("*/functions.py"))


@pytest.mark.parametrize("environment", WITH)
def test_tokens_are_the_apps_to_check_and_reach_them(environment: str) -> None:
    text = deployment(environment).one(f"{SERVICE}/apis/policies")["properties"]["value"]
    assert "jwt" not in text.lower()
    assert "Authorization" not in text


@pytest.mark.long
@needs_compiler
def test_browsers_of_the_named_origins_may_call(tmp_path: Path) -> None:
    changed = sources(tmp_path, "staging")
    changed.add_parameter("param corsOrigins = ['https://shop.example']")

    deployed = changed.snapshot()

    assert [each.text for each in policy(deployed).iter("origin")] == ["https://shop.example"]
    for site in deployed.sites().values():
        assert site["properties"]["siteConfig"]["cors"]["allowedOrigins"] == ["https://shop.example"]

"""Every context has what the topology says that it needs, and nothing else."""

from collections import Counter

from tests.infra.deployment import CONTEXTS, SETTINGS, TOPOLOGY, Deployment
from tests.infra.grants import given, wanted


def test_what_is_granted_is_what_the_topology_asks_for(deployed: Deployment) -> None:
    assert Counter(given(deployed)) == Counter(wanted(TOPOLOGY, SETTINGS))


def test_each_context_runs_as_an_identity_of_its_own(deployed: Deployment) -> None:
    assert Counter(deployed.identities().values()) == Counter(CONTEXTS)
    assert {site["identity"]["type"] for site in deployed.sites().values()} == {"UserAssigned"}
    names = {each["id"] for each in deployed.all("Microsoft.ManagedIdentity/userAssignedIdentities")}
    assert set(deployed.identities()) == names


def test_references_to_the_vault_are_read_by_the_apps_own_identity(deployed: Deployment) -> None:
    for site in deployed.sites().values():
        assert [site["properties"]["keyVaultReferenceIdentity"]] == list(site["identity"]["userAssignedIdentities"])

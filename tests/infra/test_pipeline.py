"""Who the pipeline is in Azure, and how little each of its identities may do."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from scripts import bicep
from tests.infra.compiler import needs_compiler
from tests.infra.deployment import ENVIRONMENTS, INFRA, Deployment, Resource, deployment, referred

pytestmark = needs_compiler

WORKFLOW = (INFRA.parent / ".github" / "workflows" / "deploy.yml").read_text()
DEPLOYED = re.findall(r"^      environment: (\w+)$", WORKFLOW, re.MULTILINE)
CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
ROLE_ADMINISTRATOR = "f58310d9-a9f6-439a-9e8d-f62e7b41a168"


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """What `infra/pipeline.bicep` deploys for the environments that the workflows know."""
    infra = Path(shutil.copytree(INFRA, tmp_path_factory.mktemp("pipeline") / "infra"))
    groups = ", ".join(f"{environment}: 'rg-{environment}'" for environment in DEPLOYED)
    parameters = infra / "pipeline.bicepparam"
    parameters.write_text(f"using 'pipeline.bicep'\nparam repository = 'a/shop'\nparam environments = {{ {groups} }}\n")
    answer = bicep.run("snapshot", parameters, *bicep.PLACE)
    assert (answer.returncode, answer.stderr) == (0, "")
    snapshot = json.loads((infra / "pipeline.snapshot.json").read_text())
    return Deployment("pipeline", snapshot["predictedResources"])


def given(pipeline: Deployment, identity: str) -> list[Resource]:
    """The role assignments of an identity."""
    assignments = pipeline.all("Microsoft.Authorization/roleAssignments")
    return [
        each for each in assignments if referred(each["properties"]["principalId"], "principalId").endswith(identity)
    ]


def actions(pipeline: Deployment, role: str) -> list[str]:
    """What a role of our own allows."""
    (definition,) = [each for each in pipeline.all("Microsoft.Authorization/roleDefinitions") if each["id"] == role]
    (permissions,) = definition["properties"]["permissions"]
    assert permissions.keys() == {"actions"}
    found: list[str] = permissions["actions"]
    return found


def test_github_signs_in_as_each_identity_from_the_environment_of_its_name_alone(pipeline: Deployment) -> None:
    kind = "Microsoft.ManagedIdentity/userAssignedIdentities"
    subjects = {
        each["name"]: each["properties"]["subject"] for each in pipeline.all(f"{kind}/federatedIdentityCredentials")
    }

    assert subjects == {
        f"id-{environment}/github": f"repo:a/shop:environment:{environment}"
        for each in DEPLOYED
        for environment in (each, f"{each}-plan")
    }
    assert len(pipeline.all(kind)) == len(subjects)


@pytest.mark.parametrize("environment", DEPLOYED)
def test_who_plans_may_read_and_run_what_if_in_its_environment_and_nothing_else(
    pipeline: Deployment, environment: str
) -> None:
    (assignment,) = given(pipeline, f"/id-{environment}-plan")

    assert f"/resourceGroups/rg-{environment}/" in assignment["id"]
    assert actions(pipeline, assignment["properties"]["roleDefinitionId"]) == [
        "*/read",
        "Microsoft.Resources/deployments/whatIf/action",
    ]


@pytest.mark.parametrize("environment", DEPLOYED)
def test_who_deploys_may_give_the_roles_that_the_apps_need_and_no_other_and_unlocks_nothing(
    pipeline: Deployment, environment: str
) -> None:
    assignments = given(pipeline, f"/id-{environment}")
    roles = {each["properties"]["roleDefinitionId"].rsplit("/", 1)[1]: each for each in assignments}
    administrator = roles.pop(ROLE_ADMINISTRATOR)["properties"]
    needed = {
        each["properties"]["roleDefinitionId"].rsplit("/", 1)[1]
        for name in ENVIRONMENTS
        for each in deployment(name).all("Microsoft.Authorization/roleAssignments")
    }

    assert all(f"/resourceGroups/rg-{environment}/" in each["id"] for each in assignments)
    conditions = re.findall(r"RoleDefinitionId\] ForAnyOfAnyValues:GuidEquals \{([^}]+)\}", administrator["condition"])
    assert len(conditions) == 2
    assert all(set(condition.split(", ")) == needed for condition in conditions)
    del roles[CONTRIBUTOR]
    (locking,) = roles.values()
    assert actions(pipeline, locking["properties"]["roleDefinitionId"]) == ["Microsoft.Authorization/locks/write"]


def test_nobody_in_the_pipeline_may_do_anything_where_its_identities_are(pipeline: Deployment) -> None:
    home = pipeline.all("Microsoft.ManagedIdentity/userAssignedIdentities")[0]["id"].split("/providers/")[0]

    assert not [
        each for each in pipeline.all("Microsoft.Authorization/roleAssignments") if each["id"].startswith(home + "/")
    ]

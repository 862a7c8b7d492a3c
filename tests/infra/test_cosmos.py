"""The account reads strongly in one region, can be restored to any point in time, and has the topology's containers."""

from tests.infra.deployment import TOPOLOGY, Deployment

ACCOUNT = "Microsoft.DocumentDB/databaseAccounts"


def test_reads_are_strong_and_there_is_one_region(deployed: Deployment) -> None:
    account = deployed.one(ACCOUNT)
    assert account["properties"]["consistencyPolicy"] == {"defaultConsistencyLevel": "Strong"}
    assert [each["locationName"] for each in account["properties"]["locations"]] == [account["location"]]


def test_it_can_be_restored_to_any_point_in_time(deployed: Deployment) -> None:
    assert deployed.one(ACCOUNT)["properties"]["backupPolicy"]["type"] == "Continuous"


def test_containers_are_the_topologys(deployed: Deployment) -> None:
    found = {name: each["resource"] for name, each in deployed.named(f"{ACCOUNT}/sqlDatabases/containers").items()}
    assert found == {
        each["name"]: {
            "id": each["name"],
            "partitionKey": {"paths": [each["partitionKey"]], "kind": "Hash", "version": 2},
            "defaultTtl": each["defaultTtl"],
            "indexingPolicy": each["indexingPolicy"],
        }
        for each in TOPOLOGY["containers"]
    }


def test_a_container_has_throughput_of_its_own_unless_the_account_is_paid_by_the_request(deployed: Deployment) -> None:
    serverless = {"name": "EnableServerless"} in deployed.one(ACCOUNT)["properties"]["capabilities"]
    for each in deployed.named(f"{ACCOUNT}/sqlDatabases/containers").values():
        assert list(each["options"]) == ([] if serverless else ["autoscaleSettings"])

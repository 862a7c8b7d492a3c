"""No key opens anything, nothing speaks an old TLS, and nobody publishes by password."""

import json
import re

from tests.infra.deployment import Deployment

KEYS = re.compile(
    r"listKeys|listSecrets|AccountKey=|SharedAccessKey|primaryKey|InstrumentationKey=|sk_live|sk_test", re.IGNORECASE
)


def test_no_key_is_fetched_or_written_anywhere(deployed: Deployment) -> None:
    for resource in deployed.resources:
        assert not KEYS.search(json.dumps(resource)), resource["id"]


def test_local_authentication_is_off(deployed: Deployment) -> None:
    def properties(type: str) -> list[dict[str, object]]:
        found = [each["properties"] for each in deployed.all(type)]
        assert found
        return found

    assert all(each["disableLocalAuth"] for each in properties("Microsoft.ServiceBus/namespaces"))
    assert all(each["disableLocalAuth"] for each in properties("Microsoft.DocumentDB/databaseAccounts"))
    assert all(each["DisableLocalAuth"] for each in properties("Microsoft.Insights/components"))
    assert all(each["features"]["disableLocalAuth"] for each in properties("Microsoft.OperationalInsights/workspaces"))  # type: ignore[index]
    assert all(each["enableRbacAuthorization"] for each in properties("Microsoft.KeyVault/vaults"))
    assert not any(each["allowSharedKeyAccess"] for each in properties("Microsoft.Storage/storageAccounts"))
    assert not any(each["allowBlobPublicAccess"] for each in properties("Microsoft.Storage/storageAccounts"))


def test_nothing_speaks_a_tls_below_1_2(deployed: Deployment) -> None:
    assert deployed.one("Microsoft.ServiceBus/namespaces")["properties"]["minimumTlsVersion"] == "1.2"
    assert deployed.one("Microsoft.DocumentDB/databaseAccounts")["properties"]["minimalTlsVersion"] == "Tls12"
    for storage in deployed.all("Microsoft.Storage/storageAccounts"):
        assert storage["properties"]["minimumTlsVersion"] == "TLS1_2"
        assert storage["properties"]["supportsHttpsTrafficOnly"]
    for site in deployed.sites().values():
        assert site["properties"]["httpsOnly"]
        assert site["properties"]["siteConfig"]["minTlsVersion"] == "1.2"
        assert site["properties"]["siteConfig"]["scmMinTlsVersion"] == "1.2"


def test_nobody_publishes_by_password_or_ftp(deployed: Deployment) -> None:
    for site in deployed.sites().values():
        assert site["properties"]["siteConfig"]["ftpsState"] == "Disabled"
        policies = {
            each["name"].rsplit("/", 1)[-1]: each["properties"]["allow"]
            for each in deployed.all("Microsoft.Web/sites/basicPublishingCredentialsPolicies")
            if each["id"].startswith(site["id"] + "/")
        }
        assert policies == {"ftp": False, "scm": False}

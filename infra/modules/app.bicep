// A context's Function App with its plan and its own storage account, which holds the package and the host's leases.
// A Flex Consumption plan takes one app.

import { App, Network, Settings } from '../types.bicep'

param location string
param tags Settings
param app App
param appName string
param planName string
param storageName string
param identityName string
param componentName string
param accountName string
param namespaceName string
param vaultName string
param maximumInstances int
param corsOrigins string[]
param zoneRedundant bool
param zoneRedundantStorage bool

@description('Without one, the app and its storage are reached over the internet, by Entra identities alone.')
param network Network?

@description('What the application reads, but for its connections and secrets.')
param appSettings Settings

@description('Settings whose values are secrets of the vault: their names, and the secrets\' names.')
param references Settings

@description('Instances that wait for requests; 0: the first request starts one.')
@minValue(0)
param alwaysReady int

var storageRoles = [
  'b7e6dc6d-f1e8-4753-8033-0f276bb0955b' // Storage Blob Data Owner: the host's leases and keys, and the package
  '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3' // Storage Table Data Contributor: the host's diagnostic events
]
var metricsPublisherRole = subscriptionResourceId(
  'Microsoft.Authorization/roleDefinitions',
  '3913510d-42f4-4e42-8a64-420c390055eb' // Monitoring Metrics Publisher
)

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: identityName
}

resource component 'Microsoft.Insights/components@2020-02-02' existing = {
  name: componentName
}

resource account 'Microsoft.DocumentDB/databaseAccounts@2026-03-15' existing = {
  name: accountName
}

resource namespace 'Microsoft.ServiceBus/namespaces@2026-01-01' existing = {
  name: namespaceName
}

resource vault 'Microsoft.KeyVault/vaults@2026-05-15' existing = {
  name: vaultName
}

resource storage 'Microsoft.Storage/storageAccounts@2025-06-01' = {
  name: storageName
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: zoneRedundantStorage ? 'Standard_ZRS' : 'Standard_LRS'
  }
  properties: {
    allowSharedKeyAccess: false
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: network == null ? 'Enabled' : 'Disabled'
    networkAcls: {
      bypass: 'None'
      defaultAction: network == null ? 'Allow' : 'Deny'
    }
  }

  resource blobs 'blobServices' = {
    name: 'default'
    properties: {
      deleteRetentionPolicy: {
        enabled: true
        days: 7
      }
    }

    resource package 'containers' = {
      name: 'package'
      properties: {
        publicAccess: 'None'
      }
    }
  }
}

resource storageGrants 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for role in storageRoles: {
    scope: storage
    name: guid(storage.id, app.context, role)
    properties: {
      principalId: identity.properties.principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role)
    }
  }
]

resource telemetryGrant 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: component
  name: guid(component.id, app.context, metricsPublisherRole)
  properties: {
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: metricsPublisherRole
  }
}

module storageEndpoints 'private-endpoint.bicep' = [
  for part in network == null ? [] : ['blob', 'table']: {
    params: {
      location: location
      tags: tags
      endpointName: 'pe-${storageName}-${part}'
      subnetId: network!.endpointSubnetId
      targetId: storage.id
      part: part
      zoneId: network!.zoneIds[part]
    }
  }
]

module siteEndpoint 'private-endpoint.bicep' = if (network != null) {
  params: {
    location: location
    tags: tags
    endpointName: 'pe-${appName}'
    subnetId: network!.endpointSubnetId
    targetId: site.id
    part: 'sites'
    zoneId: network!.zoneIds.sites
  }
}

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
    zoneRedundant: zoneRedundant
  }
}

resource site 'Microsoft.Web/sites@2025-03-01' = {
  name: appName
  location: location
  tags: union(tags, { 'azd-service-name': app.context })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identity.id}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    virtualNetworkSubnetId: network.?appSubnetId
    // Its own endpoint closed, that which takes packages open: a pipeline outside the network deploys, by its identity.
    publicNetworkAccess: 'Enabled'
    // There is no system-assigned identity that references to the vault could be read by.
    keyVaultReferenceIdentity: identity.id
    functionAppConfig: {
      runtime: {
        name: 'python'
        version: '3.13'
      }
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${storage.properties.primaryEndpoints.blob}${storage::blobs::package.name}'
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identity.id
          }
        }
      }
      scaleAndConcurrency: {
        instanceMemoryMB: app.instanceMemoryMB
        maximumInstanceCount: maximumInstances
        alwaysReady: alwaysReady == 0 ? [] : [{ name: 'http', instanceCount: alwaysReady }]
        triggers: {
          http: {
            perInstanceConcurrency: app.httpConcurrency
          }
        }
      }
    }
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      ftpsState: 'Disabled'
      http20Enabled: true
      ipSecurityRestrictionsDefaultAction: network == null ? 'Allow' : 'Deny'
      scmIpSecurityRestrictionsDefaultAction: 'Allow'
      cors: empty(corsOrigins) ? null : { allowedOrigins: corsOrigins }
    }
  }
  dependsOn: [storageGrants, storageEndpoints] // it fetches its package from there

  // An identity-based connection needs all its parts: without credential and client id the scale controller sees nothing.
  resource appsettings 'config' = {
    name: 'appsettings'
    properties: union(
      appSettings,
      mapValues(references, secret => '@Microsoft.KeyVault(SecretUri=${vault.properties.vaultUri}secrets/${secret})'),
      {
        ORDERFLOW_SERVICES: app.context
        'COSMOS_${toUpper(app.context)}__accountEndpoint': account.properties.documentEndpoint
        'COSMOS_${toUpper(app.context)}__clientId': identity.properties.clientId
        'SERVICEBUS_${toUpper(app.context)}__fullyQualifiedNamespace': split(
          namespace.properties.serviceBusEndpoint,
          '/'
        )[2]
        'SERVICEBUS_${toUpper(app.context)}__credential': 'managedidentity'
        'SERVICEBUS_${toUpper(app.context)}__clientId': identity.properties.clientId
        AzureWebJobsStorage__blobServiceUri: storage.properties.primaryEndpoints.blob
        AzureWebJobsStorage__tableServiceUri: storage.properties.primaryEndpoints.table
        AzureWebJobsStorage__credential: 'managedidentity'
        AzureWebJobsStorage__clientId: identity.properties.clientId
        AzureFunctionsJobHost__extensions__serviceBus__maxConcurrentCalls: string(app.messageConcurrency)
        APPLICATIONINSIGHTS_CONNECTION_STRING: component.properties.ConnectionString
        APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identity.properties.clientId};Authorization=AAD'
        // The application makes its spans itself; those of the libraries below it would only stand under them.
        OTEL_PYTHON_DISABLED_INSTRUMENTATIONS: 'azure_sdk,django,fastapi,flask,httpx,psycopg2,requests,urllib,urllib3'
        // Trees whole or not at all: who begins a trace decides, and it goes with its messages. Host and worker read this,
        // and spell the ratios of it differently.
        OTEL_TRACES_SAMPLER: 'parentbased_always_on'
      }
    )
  }

  resource ftp 'basicPublishingCredentialsPolicies' = {
    name: 'ftp'
    properties: {
      allow: false
    }
  }

  resource scm 'basicPublishingCredentialsPolicies' = {
    name: 'scm'
    properties: {
      allow: false
    }
  }
}

output hostName string = site.properties.defaultHostName

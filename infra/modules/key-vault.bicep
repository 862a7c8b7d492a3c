// For third parties' secrets only: nothing of Azure's own has one. Each is read by the one context that a setting gives it to.

import { Principal, Settings } from '../types.bicep'

param location string
param tags Settings
param vaultName string
param publicAccess bool

@description('Deleted secrets can\'t be purged before their time. Not to be taken back.')
param purgeProtection bool

param principals Principal[]

@description('By context: the name of a setting, and that of the secret that it is read from.')
param references {
  *: Settings
}

var secretsUserRole = subscriptionResourceId(
  'Microsoft.Authorization/roleDefinitions',
  '4633458b-17de-408a-b874-0445c86b69e6' // Key Vault Secrets User
)

var contexts = map(principals, each => each.context)
var reads = flatten(map(items(references), of => map(items(of.value), each => { context: of.key, secret: each.value })))
var names = union(map(reads, each => each.secret), [])

resource vault 'Microsoft.KeyVault/vaults@2026-05-15' = {
  name: vaultName
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    sku: {
      family: 'A'
      name: 'standard'
    }
    enableRbacAuthorization: true
    enableSoftDelete: true
    enablePurgeProtection: purgeProtection ? true : null
    softDeleteRetentionInDays: purgeProtection ? 90 : 7
    publicNetworkAccess: publicAccess ? 'Enabled' : 'Disabled'
    networkAcls: {
      bypass: 'None'
      defaultAction: publicAccess ? 'Allow' : 'Deny'
    }
  }
}

// A place for the value, which no template ever holds: whoever has it puts it there afterwards, and it stays.
@onlyIfNotExists()
resource places 'Microsoft.KeyVault/vaults/secrets@2026-05-15' = [
  for name in names: {
    parent: vault
    name: name
    properties: {
      value: 'to be set'
      contentType: 'text/plain'
    }
  }
]

resource grants 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for each in reads: {
    scope: places[indexOf(names, each.secret)]
    name: guid(vault.id, each.secret, each.context, secretsUserRole)
    properties: {
      principalId: principals[indexOf(contexts, each.context)].principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: secretsUserRole
    }
  }
]

// What the pipeline may do in an environment's resource group.

@description('May deploy it: make resources, give the apps the roles that they need, and lock data, but unlock none.')
param deployerId string

@description('May read what is there, and run what-if.')
param plannerId string

var contributorRole = subscriptionResourceId(
  'Microsoft.Authorization/roleDefinitions',
  'b24988ac-6180-42a0-ab88-20f7382dd24c' // Contributor
)
var assignmentsRole = subscriptionResourceId(
  'Microsoft.Authorization/roleDefinitions',
  'f58310d9-a9f6-439a-9e8d-f62e7b41a168' // Role Based Access Control Administrator
)

// The roles that main.bicep gives to the apps: the pipeline can give no other, to nobody.
var givenRoles = join(
  [
    '090c5cfd-751d-490a-894a-3ce6f1109419' // Azure Service Bus Data Owner
    '69a216fc-b8fb-44d8-bc22-1f3c2cd27a39' // Azure Service Bus Data Sender
    'b7e6dc6d-f1e8-4753-8033-0f276bb0955b' // Storage Blob Data Owner
    '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3' // Storage Table Data Contributor
    '3913510d-42f4-4e42-8a64-420c390055eb' // Monitoring Metrics Publisher
    '4633458b-17de-408a-b874-0445c86b69e6' // Key Vault Secrets User
  ],
  ', '
)
var onlyGivenRoles = join(
  map(
    [
      { action: 'write', attribute: '@Request' }
      { action: 'delete', attribute: '@Resource' }
    ],
    each =>
      '((!(ActionMatches{\'Microsoft.Authorization/roleAssignments/${each.action}\'})) OR (${each.attribute}[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {${givenRoles}}))'
  ),
  ' AND '
)

resource whatIf 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(resourceGroup().id, 'what-if')
  properties: {
    roleName: 'Orderflow what-if (${resourceGroup().name})'
    description: 'Reads what is there, and sees what a deployment would change.'
    type: 'CustomRole'
    assignableScopes: [resourceGroup().id]
    permissions: [
      {
        actions: ['*/read', 'Microsoft.Resources/deployments/whatIf/action']
      }
    ]
  }
}

resource locking 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(resourceGroup().id, 'locking')
  properties: {
    roleName: 'Orderflow locking (${resourceGroup().name})'
    description: 'Locks resources, and unlocks none.'
    type: 'CustomRole'
    assignableScopes: [resourceGroup().id]
    permissions: [
      {
        actions: ['Microsoft.Authorization/locks/write']
      }
    ]
  }
}

resource planning 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(resourceGroup().id, 'planning')
  properties: {
    principalId: plannerId
    principalType: 'ServicePrincipal'
    roleDefinitionId: whatIf.id
  }
}

resource deploying 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(resourceGroup().id, 'deploying')
  properties: {
    principalId: deployerId
    principalType: 'ServicePrincipal'
    roleDefinitionId: contributorRole
  }
}

resource protecting 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(resourceGroup().id, 'protecting')
  properties: {
    principalId: deployerId
    principalType: 'ServicePrincipal'
    roleDefinitionId: locking.id
  }
}

resource granting 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(resourceGroup().id, 'granting')
  properties: {
    principalId: deployerId
    principalType: 'ServicePrincipal'
    roleDefinitionId: assignmentsRole
    condition: onlyGivenRoles
    conditionVersion: '2.0'
  }
}

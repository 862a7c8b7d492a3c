// Each context may do in its own container what the code does there, and of the account read the metadata that the SDK
// asks for. Entra roles can't reach into Cosmos DB: these are the account's own.

import { Principal } from '../types.bicep'

param accountName string
param databaseName string
param principals Principal[]

var documentActions = [
  'Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers/items/create'
  'Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers/items/read'
  'Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers/items/replace'
  'Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers/items/delete'
  'Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers/executeQuery'
]

resource account 'Microsoft.DocumentDB/databaseAccounts@2026-03-15' existing = {
  name: accountName
}

resource metadataRole 'Microsoft.DocumentDB/databaseAccounts/sqlRoleDefinitions@2026-03-15' = {
  parent: account
  name: guid(account.id, 'metadata')
  properties: {
    roleName: 'Orderflow metadata'
    type: 'CustomRole'
    assignableScopes: [account.id]
    permissions: [
      {
        dataActions: ['Microsoft.DocumentDB/databaseAccounts/readMetadata']
      }
    ]
  }
}

@batchSize(1) // an account refuses two changes to its roles at once
resource documentRoles 'Microsoft.DocumentDB/databaseAccounts/sqlRoleDefinitions@2026-03-15' = [
  for each in principals: {
    parent: account
    name: guid(account.id, each.context)
    properties: {
      roleName: 'Orderflow ${each.context}'
      type: 'CustomRole'
      assignableScopes: ['${account.id}/dbs/${databaseName}/colls/${each.context}']
      permissions: [
        {
          dataActions: documentActions
        }
      ]
    }
    dependsOn: [metadataRole]
  }
]

@batchSize(1)
resource metadataGrants 'Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments@2026-03-15' = [
  for each in principals: {
    parent: account
    name: guid(account.id, 'metadata', each.context)
    properties: {
      principalId: each.principalId
      roleDefinitionId: metadataRole.id
      scope: account.id
    }
    dependsOn: [documentRoles]
  }
]

@batchSize(1)
resource documentGrants 'Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments@2026-03-15' = [
  for (each, i) in principals: {
    parent: account
    name: guid(account.id, 'documents', each.context)
    properties: {
      principalId: each.principalId
      roleDefinitionId: documentRoles[i].id
      scope: '${account.id}/dbs/${databaseName}/colls/${each.context}'
    }
    dependsOn: [metadataGrants]
  }
]

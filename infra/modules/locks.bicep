// What can't be deleted before its lock is: the accounts that hold data.

param namespaceName string
param accountName string
param vaultName string

resource namespace 'Microsoft.ServiceBus/namespaces@2026-01-01' existing = {
  name: namespaceName
}

resource account 'Microsoft.DocumentDB/databaseAccounts@2026-03-15' existing = {
  name: accountName
}

resource vault 'Microsoft.KeyVault/vaults@2026-05-15' existing = {
  name: vaultName
}

var properties = {
  level: 'CanNotDelete'
  notes: 'Holds the shop\'s data.'
}

resource ofServiceBus 'Microsoft.Authorization/locks@2020-05-01' = {
  scope: namespace
  name: 'data'
  properties: properties
}

resource ofCosmos 'Microsoft.Authorization/locks@2020-05-01' = {
  scope: account
  name: 'data'
  properties: properties
}

resource ofVault 'Microsoft.Authorization/locks@2020-05-01' = {
  scope: vault
  name: 'data'
  properties: properties
}

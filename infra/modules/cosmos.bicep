// The account, its database, and a container for each context. Keys are off: who may do what is in cosmos-grants.bicep.

import { Container, Settings } from '../types.bicep'

param location string
param tags Settings
param accountName string
param databaseName string
param containers Container[]
param serverless bool
param zoneRedundant bool
param publicAccess bool

@description('Of each container by its name: what autoscale may go up to, in request units a second.')
param throughput {
  *: int
}

resource account 'Microsoft.DocumentDB/databaseAccounts@2026-03-15' = {
  name: accountName
  location: location
  tags: tags
  kind: 'GlobalDocumentDB'
  properties: {
    databaseAccountOfferType: 'Standard'
    // One region and strong reads: no instance may act on an old state.
    enableMultipleWriteLocations: false
    locations: [
      {
        locationName: location
        failoverPriority: 0
        isZoneRedundant: zoneRedundant
      }
    ]
    consistencyPolicy: {
      defaultConsistencyLevel: 'Strong'
    }
    capabilities: serverless ? [{ name: 'EnableServerless' }] : []
    backupPolicy: {
      type: 'Continuous'
      continuousModeProperties: {
        tier: 'Continuous30Days'
      }
    }
    disableLocalAuth: true
    disableKeyBasedMetadataWriteAccess: true
    minimalTlsVersion: 'Tls12'
    publicNetworkAccess: publicAccess ? 'Enabled' : 'Disabled'
  }
}

resource database 'Microsoft.DocumentDB/databaseAccounts/sqlDatabases@2026-03-15' = {
  parent: account
  name: databaseName
  properties: {
    resource: {
      id: databaseName
    }
  }
}

@batchSize(1) // an account refuses changes to two containers at once
resource items 'Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers@2026-03-15' = [
  for each in containers: {
    parent: database
    name: each.name
    properties: {
      resource: {
        id: each.name
        partitionKey: {
          paths: [each.partitionKey]
          kind: 'Hash'
          version: 2
        }
        defaultTtl: each.defaultTtl
        indexingPolicy: each.indexingPolicy
      }
      options: serverless ? {} : { autoscaleSettings: { maxThroughput: throughput[each.name] } }
    }
  }
]

// Orderflow in a resource group: one Function App for each context of the topology, and what they share.
// A new context is a new entry there; nothing here names one.

import { SettingsFile, Topology } from 'types.bicep'

@description('The environment\'s name, part of every resource\'s.')
@minLength(2)
@maxLength(7)
param environmentName string

@description('The installation\'s name, part of the names that must be unique in all of Azure.')
@minLength(2)
@maxLength(12)
param name string = 'orderflow'

param location string = resourceGroup().location

@description('The currency that the shop sells in, ISO 4217.')
@minLength(3)
@maxLength(3)
param currency string

@description('Who may call the API from a browser, as origins.')
param corsOrigins string[] = []

@description('Cosmos DB paid by the request, up to 5,000 request units a second of each container; else autoscale.')
param serverless bool = false

@description('What autoscale may go up to in each container that `throughput` doesn\'t name, in request units a second.')
@minValue(1000)
param defaultThroughput int = 4000

@description('The same of single containers, by their names.')
param throughput {
  @minValue(1000)
  *: int
} = {}

@description('Instances that wait for requests, by context.')
param alwaysReady {
  @minValue(0)
  @maxValue(20)
  *: int
} = {}

@description('A network of its own: data is closed to the internet, and the apps to all but API Management.')
param privateNetworking bool = false

@description('Addresses of that network.')
param addressSpace string = '10.20.0.0/16'

@description('Premium is what private networking needs, and what takes more than some 13 orders a second.')
param serviceBusTier 'Standard' | 'Premium' = privateNetworking ? 'Premium' : 'Standard'

@description('Of Premium: what it is paid by, and how much it takes.')
param messagingUnits 1 | 2 | 4 | 8 | 16 = 1

@description('Data in three zones.')
param zoneRedundantData bool = false

@description('Apps in three zones: with at least two instances of each always ready, and zone redundant storage.')
param zoneRedundantApps bool = false

@description('Data can\'t be deleted by mistake: locks, and a vault that isn\'t purged before its time.')
param protectData bool = false

@description('What stands in front of the apps: a tier that reaches them in a private network, or nothing.')
param apiManagement ('StandardV2' | 'PremiumV2')?

@description('Requests that one caller may make through it in a minute.')
@minValue(1)
param callsPerMinute int = 300

@description('Who issues the callers\' tokens: an OpenID issuer\'s address, just as its tokens name it.')
@minLength(9)
param tokenIssuer string

@description('Whom they are issued for.')
@minLength(1)
param tokenAudience string

@description('Who is told when something needs a person.')
@minLength(1)
param alertEmails string[]

@description('What the resource group may cost a month, in the subscription\'s currency.')
@minValue(1)
param monthlyBudget int

@description('The first day of the month in which it is deployed first; Azure refuses an earlier one.')
@minLength(10)
@maxLength(10)
param budgetStart string

@description('How long logs are kept.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 30

@description('The Cosmos DB account. Another name is another account: the one that data was restored to, say.')
@minLength(3)
@maxLength(44)
param accountName string = 'cosmos-${name}-${environmentName}-${uniqueString(resourceGroup().id, environmentName)}'

var topology Topology = loadJsonContent('topology.json')
var settings SettingsFile = loadJsonContent('settings.json')

var tags = { 'azd-env-name': environmentName }
var suffix = uniqueString(resourceGroup().id, environmentName)
var namespaceName = 'sb-${name}-${environmentName}-${suffix}'
var gatewayName = 'apim-${name}-${environmentName}-${suffix}'
var vaultName = 'kv-${environmentName}-${suffix}'
var networkName = 'vnet-${name}-${environmentName}'
var workspaceName = 'log-${name}-${environmentName}'
var actionGroupName = 'ag-${name}-${environmentName}'
var componentName = 'appi-${name}-${environmentName}'
var database = 'orderflow'

// Below 32 characters: the host id is made of so many, and two apps that share one are stopped.
var appNames = [for app in topology.apps: 'func-${app.context}-${environmentName}-${take(suffix, 4)}']

// Where each context answers, for whoever asks them as itself: the app's own address, in a private network as well. It is
// written out, since a loop can't refer to what it makes.
var addresses = join(
  map(range(0, length(appNames)), i => '${topology.apps[i].context}=https://${appNames[i]}.azurewebsites.net/api'),
  ','
)

// Instances × what each works on at once × writes of each × request units of a write stay within a second's throughput,
// so that a full load is slowed down rather than refused. A document of up to 1 KiB costs 5 to write.
var requestUnitsPerDocument = 5
var strangers = filter(objectKeys(union(throughput, alwaysReady)), each => !contains(topology.contexts, each))
var throughputs = toObject(
  empty(strangers)
    ? topology.contexts
    : fail('throughput, alwaysReady: ${join(strangers, ', ')} is none of ${join(topology.contexts, ', ')}'),
  context => context,
  context => serverless ? 5000 : throughput[?context] ?? defaultThroughput
)
var scale = [
  for app in topology.apps: {
    context: app.context
    throughput: throughputs[app.context]
    requestUnitsPerInstance: max(app.httpConcurrency, app.messageConcurrency) * app.writesAtOnce * app.documentsPerWrite * requestUnitsPerDocument
  }
]
var instances = [
  for (app, i) in topology.apps: scale[i].requestUnitsPerInstance > scale[i].throughput
    ? fail('throughput: ${app.context} needs ${scale[i].requestUnitsPerInstance} request units a second for one instance, and has ${scale[i].throughput}')
    : min(app.maximumInstances, scale[i].throughput / scale[i].requestUnitsPerInstance)
]

// What lies behind private endpoints, by what Private Link calls the part of it that is reached: zones of Azure's public
// cloud, written out, since no snapshot knows what environment() says.
var zones = {
  Sql: 'privatelink.documents.azure.com'
  namespace: 'privatelink.servicebus.windows.net'
  vault: 'privatelink.vaultcore.azure.net'
  #disable-next-line no-hardcoded-env-urls
  blob: 'privatelink.blob.core.windows.net'
  #disable-next-line no-hardcoded-env-urls
  table: 'privatelink.table.core.windows.net'
  sites: 'privatelink.azurewebsites.net'
}
var shared = [
  { type: 'Microsoft.DocumentDB/databaseAccounts', name: accountName, part: 'Sql' }
  { type: 'Microsoft.ServiceBus/namespaces', name: namespaceName, part: 'namespace' }
  { type: 'Microsoft.KeyVault/vaults', name: vaultName, part: 'vault' }
]

resource identities 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = [
  for context in topology.contexts: {
    name: 'id-${context}-${environmentName}'
    location: location
    tags: tags
  }
]

module monitoring 'modules/monitoring.bicep' = {
  params: {
    location: location
    tags: tags
    workspaceName: workspaceName
    componentName: componentName
    retentionDays: logRetentionDays
  }
}

module cosmos 'modules/cosmos.bicep' = {
  params: {
    location: location
    tags: tags
    accountName: accountName
    databaseName: database
    containers: topology.containers
    serverless: serverless
    zoneRedundant: zoneRedundantData
    publicAccess: !privateNetworking
    throughput: throughputs
  }
}

module cosmosGrants 'modules/cosmos-grants.bicep' = {
  params: {
    accountName: accountName
    databaseName: database
    principals: [
      for (context, i) in topology.contexts: { context: context, principalId: identities[i].properties.principalId }
    ]
  }
  dependsOn: [cosmos]
}

module serviceBus 'modules/service-bus.bicep' = {
  params: {
    location: location
    tags: tags
    namespaceName: namespaceName
    tier: privateNetworking && serviceBusTier == 'Standard'
      ? fail('serviceBusTier: private networking needs Premium')
      : serviceBusTier
    messagingUnits: messagingUnits
    zoneRedundant: zoneRedundantData
    publicAccess: !privateNetworking
    queues: topology.queues
    topics: topology.topics
    subscriptions: topology.subscriptions
  }
}

module serviceBusGrants 'modules/service-bus-grants.bicep' = {
  params: {
    namespaceName: namespaceName
    queues: topology.queues
    topics: topology.topics
    grants: topology.grants
    principals: [
      for (context, i) in topology.contexts: { context: context, principalId: identities[i].properties.principalId }
    ]
  }
  dependsOn: [serviceBus]
}

module keyVault 'modules/key-vault.bicep' = {
  params: {
    location: location
    tags: tags
    vaultName: vaultName
    publicAccess: !privateNetworking
    purgeProtection: protectData
    references: settings.secrets
    principals: [
      for (context, i) in topology.contexts: { context: context, principalId: identities[i].properties.principalId }
    ]
  }
}

module network 'modules/network.bicep' = if (privateNetworking) {
  params: {
    location: location
    tags: tags
    networkName: networkName
    contexts: topology.contexts
    addressSpace: addressSpace
    withGateway: apiManagement != null
    zones: map(items(zones), each => each.value)
  }
}

module endpoints 'modules/private-endpoint.bicep' = [
  for each in privateNetworking ? shared : []: {
    params: {
      location: location
      tags: tags
      endpointName: 'pe-${each.name}'
      subnetId: resourceId('Microsoft.Network/virtualNetworks/subnets', networkName, 'endpoints')
      targetId: resourceId(each.type, each.name)
      part: each.part
      zoneId: resourceId('Microsoft.Network/privateDnsZones', zones[each.part])
    }
    dependsOn: [network, cosmos, serviceBus, keyVault]
  }
]

module apps 'modules/app.bicep' = [
  for (app, i) in topology.apps: {
    params: {
      location: location
      tags: tags
      app: app
      appName: appNames[i]
      planName: 'plan-${app.context}-${environmentName}'
      storageName: 'st${take(app.context, 9)}${uniqueString(resourceGroup().id, environmentName, app.context)}'
      identityName: identities[indexOf(topology.contexts, app.context)].name
      componentName: componentName
      maximumInstances: instances[i]
      alwaysReady: max(alwaysReady[?app.context] ?? 0, zoneRedundantApps ? 2 : 0)
      corsOrigins: corsOrigins
      zoneRedundant: zoneRedundantApps
      zoneRedundantStorage: zoneRedundantData || zoneRedundantApps
      network: privateNetworking
        ? {
            appSubnetId: resourceId('Microsoft.Network/virtualNetworks/subnets', networkName, 'apps-${app.context}')
            endpointSubnetId: resourceId('Microsoft.Network/virtualNetworks/subnets', networkName, 'endpoints')
            zoneIds: mapValues(zones, zone => resourceId('Microsoft.Network/privateDnsZones', zone))
          }
        : null
      accountName: accountName
      namespaceName: namespaceName
      vaultName: vaultName
      references: settings.secrets[?app.context] ?? {}
      appSettings: union(
        settings.every,
        settings.contexts[?app.context] ?? {},
        {
          SHOP_CURRENCY: currency
          COSMOS_DATABASE: database
          IDENTITY_ISSUER: tokenIssuer
          IDENTITY_AUDIENCE: tokenAudience
        },
        app.?asksOthers ?? false ? { '${toUpper(app.context)}_ADDRESSES': addresses } : {}
      )
    }
    // An app that starts before it may read its settings' secrets, or its queues, waits for minutes before it looks again.
    dependsOn: [monitoring, cosmosGrants, serviceBusGrants, keyVault, endpoints]
  }
]

module alerts 'modules/alerts.bicep' = {
  params: {
    location: location
    tags: tags
    suffix: '${name}-${environmentName}'
    actionGroupName: actionGroupName
    emails: alertEmails
    workspaceName: workspaceName
    componentName: componentName
    namespaceName: namespaceName
    accountName: accountName
  }
  dependsOn: [monitoring, cosmos, serviceBus]
}

module gateway 'modules/api-management.bicep' = if (apiManagement != null) {
  params: {
    location: location
    tags: tags
    serviceName: gatewayName
    tier: apiManagement!
    subnetId: privateNetworking ? resourceId('Microsoft.Network/virtualNetworks/subnets', networkName, 'gateway') : null
    publisher: name
    publisherEmail: alertEmails[0]
    apps: topology.apps
    appNames: appNames
    corsOrigins: corsOrigins
    workspaceName: workspaceName
    actionGroupName: actionGroupName
    callsPerMinute: callsPerMinute
  }
  dependsOn: [network, apps, alerts]
}

module diagnostics 'modules/diagnostics.bicep' = {
  params: {
    workspaceName: workspaceName
    namespaceName: namespaceName
    accountName: accountName
    vaultName: vaultName
  }
  dependsOn: [monitoring, cosmos, serviceBus, keyVault]
}

module budget 'modules/budget.bicep' = {
  params: {
    budgetName: 'budget-${name}-${environmentName}'
    actionGroupName: actionGroupName
    amount: monthlyBudget
    startDate: budgetStart
  }
  dependsOn: [alerts]
}

module locks 'modules/locks.bicep' = if (protectData) {
  params: {
    namespaceName: namespaceName
    accountName: accountName
    vaultName: vaultName
  }
  dependsOn: [cosmosGrants, serviceBusGrants, keyVault]
}

@description('Each app, and where it is reached.')
output apps { context: string, name: string, url: string }[] = [
  for (app, i) in topology.apps: {
    context: app.context
    name: appNames[i]
    url: apiManagement == null ? 'https://${apps[i].outputs.hostName}' : gateway!.outputs.url
  }
]

// What `topology.json` and `settings.json` hold, as far as Bicep reads them.

@export()
@sealed()
@description('A Function App: one context, and how far it scales.')
type App = {
  context: string
  @description('The first parts of its HTTP routes, after `/api`; the first two of those that every context has.')
  paths: string[]
  @description('Whether it is told where all apps answer, to ask them as itself.')
  asksOthers: bool?
  instanceMemoryMB: 512 | 2048 | 4096
  @description('The most instances that are worth having; the container\'s throughput may allow fewer.')
  @minValue(1)
  @maxValue(1000)
  maximumInstances: int
  @description('Requests that one instance works on at a time.')
  @minValue(1)
  @maxValue(1000)
  httpConcurrency: int
  @description('Messages that one function of one instance works on at a time.')
  @minValue(1)
  messageConcurrency: int
  @description('Writes to Cosmos DB that one request or message has under way at a time, at most.')
  @minValue(1)
  writesAtOnce: int
  @description('Documents in one such write, at most but for rare ones.')
  @minValue(1)
  documentsPerWrite: int
}

@export()
@sealed()
type Container = {
  name: string
  partitionKey: string
  defaultTtl: int
  indexingPolicy: resourceInput<'Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers@2026-03-15'>.properties.resource.indexingPolicy
}

@export()
@sealed()
type Queue = {
  name: string
  lockDuration: string
  maxDeliveryCount: int
  maxSizeInMegabytes: int?
  duplicateDetectionWindow: string
  forwardDeadLettersTo: string?
}

@export()
@sealed()
type Topic = {
  name: string
  duplicateDetectionWindow: string
}

@export()
@sealed()
type Subscription = {
  topic: string
  name: string
  forwardTo: string
  forwardDeadLettersTo: string
  maxDeliveryCount: int
  @description('The types of messages that it takes; without them, all.')
  types: string[]?
}

@export()
@sealed()
@description('What a context may do with queues and topics: names of both in `send`.')
type Grant = {
  context: string
  send: string[]
  receive: string[]
  manage: string[]
}

@export()
@sealed()
type Topology = {
  contexts: string[]
  apps: App[]
  containers: Container[]
  queues: Queue[]
  topics: Topic[]
  subscriptions: Subscription[]
  grants: Grant[]
}

@export()
@description('Settings by their names.')
type Settings = {
  *: string
}

@export()
@sealed()
@description('The app\'s settings: of every context, of each of them, and those whose values are secrets of the vault.')
type SettingsFile = {
  every: Settings
  contexts: {
    *: Settings
  }
  @description('By context: the name of a setting, and that of the secret that it is read from.')
  secrets: {
    *: Settings
  }
}

@export()
@sealed()
@description('Where an app goes out, where its private endpoints lie, and the zones of their names by the part that each stands for.')
type Network = {
  appSubnetId: string
  endpointSubnetId: string
  zoneIds: Settings
}

@export()
@sealed()
@description('A context and the id, in Entra, of who it runs as.')
type Principal = {
  context: string
  principalId: string
}

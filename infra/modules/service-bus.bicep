// The namespace with its queues, topics and subscriptions. Keys are off: who may do what is in service-bus-grants.bicep.

import { Queue, Settings, Subscription, Topic } from '../types.bicep'

param location string
param tags Settings
param namespaceName string
param tier 'Standard' | 'Premium'

@description('Of Premium: what it is paid by, and how much it takes.')
param messagingUnits 1 | 2 | 4 | 8 | 16

param zoneRedundant bool
param publicAccess bool
param queues Queue[]
param topics Topic[]
param subscriptions Subscription[]

@description('How much a queue or topic holds that the topology says nothing of. What finds its queue full is dead-lettered.')
param maxSizeInMegabytes int = 5120

// Forwarding wants its target to be there.
var lastQueues = filter(queues, each => empty(each.?forwardDeadLettersTo))
var otherQueues = filter(queues, each => !empty(each.?forwardDeadLettersTo))
var topicNames = map(topics, each => each.name)

resource namespace 'Microsoft.ServiceBus/namespaces@2026-01-01' = {
  name: namespaceName
  location: location
  tags: tags
  sku: {
    name: tier
    tier: tier
    capacity: tier == 'Premium' ? messagingUnits : null
  }
  properties: {
    disableLocalAuth: true
    minimumTlsVersion: '1.2'
    zoneRedundant: zoneRedundant
    publicNetworkAccess: publicAccess ? 'Enabled' : 'Disabled'
  }
}

@batchSize(1) // a namespace refuses many changes at once
resource targets 'Microsoft.ServiceBus/namespaces/queues@2026-01-01' = [
  for each in lastQueues: {
    parent: namespace
    name: each.name
    properties: {
      lockDuration: each.lockDuration
      maxDeliveryCount: each.maxDeliveryCount
      maxSizeInMegabytes: each.?maxSizeInMegabytes ?? maxSizeInMegabytes
      requiresDuplicateDetection: true
      duplicateDetectionHistoryTimeWindow: each.duplicateDetectionWindow
    }
  }
]

@batchSize(1)
resource sources 'Microsoft.ServiceBus/namespaces/queues@2026-01-01' = [
  for each in otherQueues: {
    parent: namespace
    name: each.name
    properties: {
      lockDuration: each.lockDuration
      maxDeliveryCount: each.maxDeliveryCount
      maxSizeInMegabytes: each.?maxSizeInMegabytes ?? maxSizeInMegabytes
      requiresDuplicateDetection: true
      duplicateDetectionHistoryTimeWindow: each.duplicateDetectionWindow
      forwardDeadLetteredMessagesTo: each.?forwardDeadLettersTo
    }
    dependsOn: [targets]
  }
]

@batchSize(1)
resource events 'Microsoft.ServiceBus/namespaces/topics@2026-01-01' = [
  for each in topics: {
    parent: namespace
    name: each.name
    properties: {
      maxSizeInMegabytes: maxSizeInMegabytes
      requiresDuplicateDetection: true
      duplicateDetectionHistoryTimeWindow: each.duplicateDetectionWindow
    }
    dependsOn: [sources]
  }
]

@batchSize(1)
resource forwards 'Microsoft.ServiceBus/namespaces/topics/subscriptions@2026-01-01' = [
  for each in subscriptions: {
    parent: events[indexOf(topicNames, each.topic)]
    name: each.name
    properties: {
      forwardTo: each.forwardTo
      forwardDeadLetteredMessagesTo: each.forwardDeadLettersTo
      maxDeliveryCount: each.maxDeliveryCount
      deadLetteringOnFilterEvaluationExceptions: true
    }
    dependsOn: [events]
  }
]

// The rule that Azure gives a subscription takes everything, and is called $Default: under that name this one replaces it.
@batchSize(1)
resource rules 'Microsoft.ServiceBus/namespaces/topics/subscriptions/rules@2026-01-01' = [
  for (each, i) in subscriptions: {
    parent: forwards[i]
    name: '$Default'
    properties: {
      filterType: 'SqlFilter'
      sqlFilter: {
        sqlExpression: empty(each.?types)
          ? '1=1'
          : 'cloudEvents_type IN (${join(map(each.types!, type => '\'${type}\''), ', ')})'
      }
    }
  }
]

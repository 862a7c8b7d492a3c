// Data Owner on what a context receives from (the scaler needs Manage to see how much waits there; sending is in it), and
// Data Sender on whatever else it sends to.

import { Grant, Principal, Queue, Topic } from '../types.bicep'

param namespaceName string
param queues Queue[]
param topics Topic[]
param grants Grant[]
param principals Principal[]

var ownerRole = '090c5cfd-751d-490a-894a-3ce6f1109419' // Azure Service Bus Data Owner
var senderRole = '69a216fc-b8fb-44d8-bc22-1f3c2cd27a39' // Azure Service Bus Data Sender

var queueNames = map(queues, each => each.name)
var topicNames = map(topics, each => each.name)
var contexts = map(principals, each => each.context)

var owned = flatten(map(
  grants,
  grant => map(grant.receive, name => { context: grant.context, entity: name, role: ownerRole })
))
var sent = flatten(map(
  grants,
  grant =>
    map(
      filter(grant.send, name => !contains(grant.receive, name)),
      name => { context: grant.context, entity: name, role: senderRole }
    )
))
var onQueues = concat(owned, filter(sent, each => contains(queueNames, each.entity)))
var onTopics = filter(sent, each => contains(topicNames, each.entity))

resource namespace 'Microsoft.ServiceBus/namespaces@2026-01-01' existing = {
  name: namespaceName

  resource granted 'queues' existing = [for each in onQueues: { name: each.entity }]
  resource grantedTopics 'topics' existing = [for each in onTopics: { name: each.entity }]
}

resource queueGrants 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (each, i) in onQueues: {
    scope: namespace::granted[i]
    name: guid(namespace.id, each.entity, each.context, each.role)
    properties: {
      principalId: principals[indexOf(contexts, each.context)].principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', each.role)
    }
  }
]

resource topicGrants 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (each, i) in onTopics: {
    scope: namespace::grantedTopics[i]
    name: guid(namespace.id, each.entity, each.context, each.role)
    properties: {
      principalId: principals[indexOf(contexts, each.context)].principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', each.role)
    }
  }
]

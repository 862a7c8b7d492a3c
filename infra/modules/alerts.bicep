// What a person is woken for, and how. Metrics are the platform's; log lines are the application's, by their stable names.

import { Settings } from '../types.bicep'

param location string
param tags Settings
param suffix string
param actionGroupName string
param emails string[]
param workspaceName string
param componentName string
param namespaceName string
param accountName string

@description('Whether each event of the application, by the name that its log line begins with, is worth waking somebody: 1 at once, 2 in the morning.')
var events = [
  { name: 'message_parked', severity: 1, text: 'a message can\'t succeed, and is kept with its reason' }
  { name: 'payment_due', severity: 1, text: 'goods were sent, and their payment could not be captured' }
  { name: 'payment_provider_key_rejected', severity: 1, text: 'the payment provider refuses the key' }
  { name: 'sweep_late', severity: 1, text: 'no sweep of a context has succeeded for five minutes' }
  { name: 'order_overdue', severity: 2, text: 'an order has been recalling, undoing or settling for over an hour' }
  {
    name: 'disagreement'
    severity: 1
    text: 'the contexts don\'t agree about an order: its money, its stock or its end'
  }
  { name: 'unreadable_document', severity: 2, text: 'a stored document can\'t be read, and is left out of a list' }
]

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-07-01' existing = {
  name: workspaceName
}

resource component 'Microsoft.Insights/components@2020-02-02' existing = {
  name: componentName
}

resource namespace 'Microsoft.ServiceBus/namespaces@2026-01-01' existing = {
  name: namespaceName
}

resource account 'Microsoft.DocumentDB/databaseAccounts@2026-03-15' existing = {
  name: accountName
}

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: actionGroupName
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: 'orderflow'
    emailReceivers: [
      for (email, i) in emails: {
        name: 'email ${i + 1}'
        emailAddress: email
        useCommonAlertSchema: true
      }
    ]
  }
}

var metrics = [
  {
    name: 'dead-letters'
    severity: 1
    text: 'Messages lie dead-lettered in a queue or a topic\'s subscription. Nothing of ours leaves any there: dead letters are forwarded to a context\'s -dead queue, whose function parks them.'
    scope: namespace.id
    metricNamespace: 'Microsoft.ServiceBus/namespaces'
    metricName: 'DeadletteredMessages'
    dimensions: [{ name: 'EntityName', operator: 'Include', values: ['*'] }]
    aggregation: 'Maximum'
    threshold: 0
  }
  {
    name: 'queue-filling'
    severity: 1
    text: 'A queue or topic holds 4 GiB of the 5 that it has: what finds it full is dead-lettered where it comes from.'
    scope: namespace.id
    metricNamespace: 'Microsoft.ServiceBus/namespaces'
    metricName: 'Size'
    dimensions: [{ name: 'EntityName', operator: 'Include', values: ['*'] }]
    aggregation: 'Average'
    threshold: 4294967296
  }
  {
    name: 'messages-throttled'
    severity: 2
    text: 'Service Bus refuses requests because the namespace is too busy.'
    scope: namespace.id
    metricNamespace: 'Microsoft.ServiceBus/namespaces'
    metricName: 'ThrottledRequests'
    dimensions: []
    aggregation: 'Total'
    threshold: 100
  }
  {
    name: 'documents-throttled'
    severity: 2
    text: 'Cosmos DB refuses requests to a container because its throughput is used up.'
    scope: account.id
    metricNamespace: 'Microsoft.DocumentDB/databaseAccounts'
    metricName: 'TotalRequests'
    dimensions: [
      { name: 'StatusCode', operator: 'Include', values: ['429'] }
      { name: 'CollectionName', operator: 'Include', values: ['*'] }
    ]
    aggregation: 'Count'
    threshold: 100
  }
  {
    name: 'requests-failing'
    severity: 1
    text: 'An app answers requests with 5xx.'
    scope: component.id
    metricNamespace: 'microsoft.insights/components'
    metricName: 'requests/failed'
    dimensions: [
      { name: 'request/resultCode', operator: 'Include', values: ['500', '502', '503', '504'] }
      { name: 'cloud/roleName', operator: 'Include', values: ['*'] }
    ]
    aggregation: 'Count'
    threshold: 5
  }
]

resource metricAlerts 'Microsoft.Insights/metricAlerts@2026-01-01' = [
  for metric in metrics: {
    name: '${metric.name}-${suffix}'
    location: 'global'
    tags: tags
    properties: {
      description: metric.text
      severity: metric.severity
      enabled: true
      scopes: [metric.scope]
      evaluationFrequency: 'PT1M'
      windowSize: 'PT5M'
      autoMitigate: true
      criteria: {
        'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
        allOf: [
          {
            name: metric.name
            criterionType: 'StaticThresholdCriterion'
            metricNamespace: metric.metricNamespace
            metricName: metric.metricName
            dimensions: metric.dimensions
            operator: 'GreaterThan'
            threshold: metric.threshold
            timeAggregation: metric.aggregation
          }
        ]
      }
      actions: [
        {
          actionGroupId: people.id
        }
      ]
    }
  }
]

resource eventAlerts 'Microsoft.Insights/scheduledQueryRules@2026-03-01' = [
  for event in events: {
    name: '${replace(event.name, '_', '-')}-${suffix}'
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: event.name
      description: event.text
      severity: event.severity
      enabled: true
      scopes: [workspace.id]
      evaluationFrequency: 'PT5M'
      windowSize: 'PT15M' // a line may arrive minutes late
      autoMitigate: true // and is told of once, though three evaluations find it
      criteria: {
        allOf: [
          {
            query: 'AppTraces | where Message startswith "${event.name}:"'
            timeAggregation: 'Count'
            operator: 'GreaterThan'
            threshold: 0
            dimensions: [{ name: 'AppRoleName', operator: 'Include', values: ['*'] }]
            failingPeriods: {
              numberOfEvaluationPeriods: 1
              minFailingPeriodsToAlert: 1
            }
          }
        ]
      }
      actions: {
        actionGroups: [people.id]
      }
    }
  }
]

// What the application measures (shared/metrics.py): the largest value that was seen.
var measures = [
  {
    name: 'outbox_aging'
    severity: 1
    text: 'A message has been unpublished for over five minutes: a sweep found it, and could not send it before.'
    query: 'AppMetrics | where Name == "orderflow.outbox.age"'
    threshold: 300
  }
  {
    name: 'orders_waiting'
    severity: 2
    text: 'An order has been waiting for over half an hour, for something else than the warehouse.'
    query: 'AppMetrics | where Name == "orderflow.order.waiting" and Properties.step != "awaiting_dispatch"'
    threshold: 1800
  }
]

resource measureAlerts 'Microsoft.Insights/scheduledQueryRules@2026-03-01' = [
  for measure in measures: {
    name: '${replace(measure.name, '_', '-')}-${suffix}'
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: measure.name
      description: measure.text
      severity: measure.severity
      enabled: true
      scopes: [workspace.id]
      evaluationFrequency: 'PT5M'
      windowSize: 'PT15M'
      autoMitigate: true
      skipQueryValidation: true // the table comes with its first row
      criteria: {
        allOf: [
          {
            query: measure.query
            metricMeasureColumn: 'Max'
            timeAggregation: 'Maximum'
            operator: 'GreaterThan'
            threshold: measure.threshold
            dimensions: [{ name: 'AppRoleName', operator: 'Include', values: ['*'] }]
            failingPeriods: {
              numberOfEvaluationPeriods: 1
              minFailingPeriodsToAlert: 1
            }
          }
        ]
      }
      actions: {
        actionGroups: [people.id]
      }
    }
  }
]

// A logical partition holds 20 GB and no more: a product's reservations share one.
resource partitions 'Microsoft.Insights/scheduledQueryRules@2026-03-01' = {
  name: 'partition-filling-${suffix}'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: 'partition_filling'
    description: 'A logical partition is above 15 GB of the 20 that it may have.'
    severity: 2
    enabled: true
    scopes: [workspace.id]
    evaluationFrequency: 'PT1H'
    windowSize: 'P1D'
    autoMitigate: true
    skipQueryValidation: true // the table comes with its first row
    criteria: {
      allOf: [
        {
          query: 'CDBPartitionKeyStatistics | where SizeKb > 15 * 1024 * 1024 | project TimeGenerated, CollectionName, PartitionKey, SizeKb'
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
          dimensions: [
            { name: 'CollectionName', operator: 'Include', values: ['*'] }
            { name: 'PartitionKey', operator: 'Include', values: ['*'] }
          ]
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    actions: {
      actionGroups: [people.id]
    }
  }
}

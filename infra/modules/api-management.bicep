// One address in front of all apps: it sends each request to the app that the topology's `paths` name, under the same path.

import { App, Settings } from '../types.bicep'

param location string
param tags Settings
param serviceName string

@description('A tier that reaches apps in a private network.')
param tier 'StandardV2' | 'PremiumV2'

@description('The subnet that it goes out through; without one, it reaches the apps over the internet.')
param subnetId string?

param publisher string
param publisherEmail string
param apps App[]

@description('The apps\' names, in their order.')
param appNames string[]

param corsOrigins string[]
param workspaceName string
param actionGroupName string

@description('Requests that one caller may make in a minute.')
@minValue(1)
param callsPerMinute int

// The largest body that an app takes: an import's.
var mostBytes = 8388608

var cors = '''
    <cors terminate-unmatched-request="true">
      <allowed-origins>%ORIGINS%</allowed-origins>
      <allowed-methods preflight-result-max-age="600">
        <method>*</method>
      </allowed-methods>
      <allowed-headers>
        <header>*</header>
      </allowed-headers>
    </cors>'''
var route = '''
      <when condition="@(new [] { %AREAS% }.Contains((string)context.Variables[&quot;area&quot;]))">
        <set-backend-service backend-id="%CONTEXT%" />
      </when>'''

var routes = map(
  apps,
  app =>
    replace(
      replace(
        route,
        '%AREAS%',
        join(map(concat(app.paths, ['health/${app.context}']), path => '&quot;${path}&quot;'), ', ')
      ),
      '%CONTEXT%',
      app.context
    )
)

var filled = {
  '%CORS%': empty(corsOrigins)
    ? ''
    : replace(cors, '%ORIGINS%', join(map(corsOrigins, origin => '<origin>${origin}</origin>'), ''))
  '%MOST_BYTES%': string(mostBytes)
  '%CALLS%': string(callsPerMinute)
  '%ROUTES%': join(routes, '\n')
}
var policy = reduce(
  items(filled),
  loadTextContent('api-policy.xml'),
  (text, mark) => replace(text, mark.key, mark.value)
)

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-07-01' existing = {
  name: workspaceName
}

resource people 'Microsoft.Insights/actionGroups@2023-01-01' existing = {
  name: actionGroupName
}

resource sites 'Microsoft.Web/sites@2025-03-01' existing = [
  for appName in appNames: {
    name: appName
  }
]

resource service 'Microsoft.ApiManagement/service@2024-05-01' = {
  name: serviceName
  location: location
  tags: tags
  sku: {
    name: tier
    capacity: 1
  }
  properties: {
    publisherName: publisher
    publisherEmail: publisherEmail
    publicNetworkAccess: 'Enabled'
    virtualNetworkType: subnetId == null ? 'None' : 'External'
    virtualNetworkConfiguration: subnetId == null ? null : { subnetResourceId: subnetId }
  }
}

@batchSize(1) // the service refuses many changes at once
resource backends 'Microsoft.ApiManagement/service/backends@2024-05-01' = [
  for (app, i) in apps: {
    parent: service
    name: app.context
    properties: {
      protocol: 'http'
      url: 'https://${sites[i].properties.defaultHostName}/api'
      tls: {
        validateCertificateChain: true
        validateCertificateName: true
      }
    }
  }
]

resource api 'Microsoft.ApiManagement/service/apis@2024-05-01' = {
  parent: service
  name: 'orderflow'
  properties: {
    displayName: 'Orderflow'
    path: 'api'
    protocols: ['https']
    subscriptionRequired: false
  }

  @batchSize(1)
  resource operations 'operations' = [
    for method in ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']: {
      name: toLower(method)
      properties: {
        displayName: method
        method: method
        urlTemplate: '/*'
      }
    }
  ]

  resource policies 'policies' = {
    name: 'policy'
    properties: {
      format: 'xml'
      value: policy
    }
    dependsOn: [backends]
  }
}

resource log 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: service
  name: 'workspace'
  properties: {
    workspaceId: workspace.id
    logAnalyticsDestinationType: 'Dedicated'
    logs: [
      { category: 'GatewayLogs', enabled: true } // who asked for what, and what was answered
    ]
  }
}

resource failing 'Microsoft.Insights/metricAlerts@2026-01-01' = {
  name: 'gateway-failing-${serviceName}'
  location: 'global'
  tags: tags
  properties: {
    description: 'Callers are answered with 5xx.'
    severity: 1
    enabled: true
    scopes: [service.id]
    evaluationFrequency: 'PT1M'
    windowSize: 'PT5M'
    autoMitigate: true
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          name: 'gateway-failing'
          criterionType: 'StaticThresholdCriterion'
          metricNamespace: 'Microsoft.ApiManagement/service'
          metricName: 'Requests'
          dimensions: [{ name: 'GatewayResponseCodeCategory', operator: 'Include', values: ['5xx'] }]
          operator: 'GreaterThan'
          threshold: 5
          timeAggregation: 'Total'
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

output url string = service.properties.gatewayUrl

// A network of the installation's own: each app goes out through a subnet of its own, and reaches data by private endpoints.

import { Settings } from '../types.bicep'

param location string
param tags Settings
param networkName string
param contexts string[]

@description('Addresses of the whole network; each subnet takes 256 of them.')
param addressSpace string

@description('Whether API Management goes out through it, too.')
param withGateway bool

@description('Names of the private DNS zones under which endpoints are found.')
param zones string[]

var appSubnets = [
  for (context, i) in contexts: {
    name: 'apps-${context}'
    properties: {
      addressPrefix: cidrSubnet(addressSpace, 24, i + 2)
      networkSecurityGroup: {
        id: rules.id
      }
      delegations: [
        {
          name: 'flex'
          properties: {
            serviceName: 'Microsoft.App/environments'
          }
        }
      ]
    }
  }
]

// The default rules: traffic within the network and out of it, none from outside into it.
resource rules 'Microsoft.Network/networkSecurityGroups@2025-07-01' = {
  name: 'nsg-${networkName}'
  location: location
  tags: tags
}

resource network 'Microsoft.Network/virtualNetworks@2025-07-01' = {
  name: networkName
  location: location
  tags: tags
  properties: {
    addressSpace: {
      addressPrefixes: [addressSpace]
    }
    // Subnets stand here, since a network that is deployed without them would lose them.
    subnets: concat(
      [
        {
          name: 'endpoints'
          properties: {
            addressPrefix: cidrSubnet(addressSpace, 24, 0)
            networkSecurityGroup: {
              id: rules.id
            }
            privateEndpointNetworkPolicies: 'Enabled'
          }
        }
      ],
      withGateway
        ? [
            {
              name: 'gateway'
              properties: {
                addressPrefix: cidrSubnet(addressSpace, 24, 1)
                networkSecurityGroup: {
                  id: rules.id
                }
                delegations: [
                  {
                    name: 'gateway'
                    properties: {
                      serviceName: 'Microsoft.Web/serverFarms'
                    }
                  }
                ]
              }
            }
          ]
        : [],
      appSubnets
    )
  }
}

resource dnsZones 'Microsoft.Network/privateDnsZones@2024-06-01' = [
  for zone in zones: {
    name: zone
    location: 'global'
    tags: tags
  }
]

resource links 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [
  for (zone, i) in zones: {
    parent: dnsZones[i]
    name: networkName
    location: 'global'
    tags: tags
    properties: {
      registrationEnabled: false
      virtualNetwork: {
        id: network.id
      }
    }
  }
]

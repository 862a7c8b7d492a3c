// Who the pipeline is in Azure: for each environment an identity that deploys it, and one that only sees what a deployment
// would change. GitHub signs in as them by federation, as each from the GitHub environment of its name: there is no secret.
// In a resource group of its own, in which neither may do anything; deployed by a person who may assign roles.

@description('The repository on GitHub, as owner/name.')
param repository string

@description('By environment: the resource group that it is deployed to, which is there already.')
param environments {
  *: string
}

param location string = resourceGroup().location

var all = items(environments)
var signIns = flatten(map(all, each => [each.key, '${each.key}-plan']))

resource identities 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = [
  for each in signIns: {
    name: 'id-${each}'
    location: location
  }
]

resource federations 'Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials@2024-11-30' = [
  for (each, i) in signIns: {
    parent: identities[i]
    name: 'github'
    properties: {
      issuer: 'https://token.actions.githubusercontent.com'
      subject: 'repo:${repository}:environment:${each}'
      audiences: ['api://AzureADTokenExchange']
    }
  }
]

module grants 'modules/pipeline-grants.bicep' = [
  for (each, i) in all: {
    scope: resourceGroup(each.value)
    params: {
      deployerId: identities[2 * i].properties.principalId
      plannerId: identities[2 * i + 1].properties.principalId
    }
  }
]

@description('The variable AZURE_CLIENT_ID of each of GitHub\'s environments.')
output clients { environment: string, id: string }[] = [
  for (each, i) in signIns: {
    environment: each
    id: identities[i].properties.clientId
  }
]

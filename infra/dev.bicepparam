using 'main.bicep'

// A developer's: paid by use, reached over the internet by Entra identities alone.
param environmentName = 'dev'
param currency = 'GBP'
param serverless = true

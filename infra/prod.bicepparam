using 'main.bicep'

// Closed to the internet but for API Management, in three zones, and safe from being deleted by mistake.
param environmentName = 'prod'
param currency = 'GBP'
param privateNetworking = true
param apiManagement = 'StandardV2'
param zoneRedundantData = true
param protectData = true
param logRetentionDays = 90
param throughput = {
  inventory: 20000
  orders: 10000
}
param alwaysReady = {
  orders: 2
}

param tokenIssuer = readEnvironmentVariable('ORDERFLOW_TOKEN_ISSUER')
param tokenAudience = readEnvironmentVariable('ORDERFLOW_TOKEN_AUDIENCE')
param alertEmails = [readEnvironmentVariable('ORDERFLOW_ALERT_EMAIL')]
param budgetStart = readEnvironmentVariable('ORDERFLOW_BUDGET_START')
param monthlyBudget = 3000

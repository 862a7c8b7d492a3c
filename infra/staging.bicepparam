using 'main.bicep'

// Production's shape at its smallest, so that what works here works there.
param environmentName = 'staging'
param currency = 'GBP'
param privateNetworking = true
param apiManagement = 'StandardV2'

param tokenIssuer = readEnvironmentVariable('ORDERFLOW_TOKEN_ISSUER')
param tokenAudience = readEnvironmentVariable('ORDERFLOW_TOKEN_AUDIENCE')
param alertEmails = [readEnvironmentVariable('ORDERFLOW_ALERT_EMAIL')]
param budgetStart = readEnvironmentVariable('ORDERFLOW_BUDGET_START')
param monthlyBudget = 1500

using 'main.bicep'

// A developer's: paid by use, reached over the internet by Entra identities alone, and gone when it is deleted.
param environmentName = 'dev'
param currency = 'GBP'
param serverless = true

param tokenIssuer = readEnvironmentVariable('ORDERFLOW_TOKEN_ISSUER')
param tokenAudience = readEnvironmentVariable('ORDERFLOW_TOKEN_AUDIENCE')
param alertEmails = [readEnvironmentVariable('ORDERFLOW_ALERT_EMAIL')]
param budgetStart = readEnvironmentVariable('ORDERFLOW_BUDGET_START')
param monthlyBudget = 50

using 'main.bicep'

// A shop of a thousand orders a month: paid by use, reached over the internet by Entra identities alone.
param environmentName = 'small'
param currency = 'GBP'
param serverless = true
param protectData = true
param logRetentionDays = 90

param tokenIssuer = readEnvironmentVariable('ORDERFLOW_TOKEN_ISSUER')
param tokenAudience = readEnvironmentVariable('ORDERFLOW_TOKEN_AUDIENCE')
param alertEmails = [readEnvironmentVariable('ORDERFLOW_ALERT_EMAIL')]
param budgetStart = readEnvironmentVariable('ORDERFLOW_BUDGET_START')
param monthlyBudget = 100

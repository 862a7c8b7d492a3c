using 'main.bicep'

// A developer's: paid by use, reached over the internet by Entra identities alone, and gone when it is deleted.
param environmentName = 'dev'
param currency = 'GBP'
param serverless = true

param alertEmails = [readEnvironmentVariable('ORDERFLOW_ALERT_EMAIL', 'ops@example.com')]
param budgetStart = readEnvironmentVariable('ORDERFLOW_BUDGET_START', '2026-12-01')
param monthlyBudget = 50

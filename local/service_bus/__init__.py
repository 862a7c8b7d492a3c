"""A durable stand-in for Azure Service Bus: AMQP 1.0 for the ordinary SDKs, HTTP to look inside and inject faults.

What it holds is what Microsoft documents for queues, topics and subscriptions of the Standard tier (Azure Service Bus
documentation: "AMQP 1.0 in Azure Service Bus protocol guide", "request-response-based operations", "message transfers,
locks, and settlement", "dead-letter queues", "duplicate detection", "autoforwarding", "message sequencing").
Sessions, transactions and changes of rules are refused with `amqp:not-implemented`.
"""

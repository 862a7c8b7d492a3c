"""A stand-in for Azure Cosmos DB: its REST protocol (API for NoSQL, gateway mode) over one SQLite file.

`python -m local.cosmos --state DIR --port P` serves it to the ordinary `azure-cosmos` SDK. What it does, it does
as the service does; what it doesn't do, it answers with 501 and the name of what is missing.

- An account whose default consistency is strong, with one region and one physical partition per container.
- Databases, containers (single hash partition key, TTL, composite indexes), items with ETags, patches,
  transactional batches, queries (`local.cosmos.query`).
- Keys: the operator's may do everything, a context's reads and writes the items of the container of its name.
- Every answer to a write leaves after its commit.

Not here: the change feed, query plans, changes of a container's definition, stored procedures, triggers, users,
throughput, hierarchical partition keys, unique keys, feed ranges narrower than a container.
"""

"""The query dialect: as much of Cosmos DB's SQL as is spoken here, which SQLite is made to evaluate.

`SELECT` of `*`, `VALUE COUNT(1)`, `VALUE` and a property, or properties with aliases; `TOP`; `FROM` one container under
any alias; `WHERE` with AND, OR, `=`, `!=`, `<`, `<=`, `>`, `>=` and IN; `ORDER BY` properties, all ascending or all
descending; parameters. What Cosmos DB has and this doesn't (NOT, BETWEEN, LIKE, functions, other aggregates, JOIN,
GROUP BY, DISTINCT, OFFSET, arithmetic …) is answered with 501 and its name.

Semantics: https://learn.microsoft.com/azure/cosmos-db/nosql/query/ . Known to differ: arrays and objects are equal
when their JSON is, so that the order of names matters.
"""

from local.cosmos.query.dialect import extracted
from local.cosmos.query.pages import Page, holds, page

__all__ = ["Page", "extracted", "holds", "page"]

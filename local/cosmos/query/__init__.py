"""The query dialect: Cosmos DB's SQL, as far as this stand-in speaks it.

`SELECT` of `*`, `VALUE` and an expression, or a list with aliases; `TOP`; `FROM` one container under any alias;
`WHERE` with AND, OR, NOT, comparisons, IN, BETWEEN and the functions in `functions.py`; the aggregates COUNT, SUM,
AVG, MIN, MAX; `ORDER BY`; `OFFSET … LIMIT …`; parameters. What Cosmos DB has and this doesn't (JOIN, GROUP BY,
DISTINCT, LIKE, subqueries, arithmetic, user-defined functions …) is answered with 501 and its name.

Semantics: https://learn.microsoft.com/azure/cosmos-db/nosql/query/
"""

from local.cosmos.query.evaluation import holds
from local.cosmos.query.pages import Page, page

__all__ = ["Page", "holds", "page"]

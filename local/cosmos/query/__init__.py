"""The query dialect: Cosmos DB's SQL, as far as this stand-in speaks it, which SQLite's is made to evaluate.

`SELECT` of `*`, `VALUE` and an expression, or a list with aliases; `TOP`; `FROM` one container under any alias;
`WHERE` with AND, OR, NOT, comparisons, IN, BETWEEN; IS_DEFINED and the other type tests, STARTSWITH, ENDSWITH,
CONTAINS, STRINGEQUALS, LOWER, UPPER, LENGTH, ARRAY_CONTAINS; the aggregates COUNT, SUM, AVG, MIN, MAX; `ORDER BY`
properties; `OFFSET … LIMIT …`; parameters. What Cosmos DB has and this doesn't (JOIN, GROUP BY, DISTINCT, LIKE,
subqueries, arithmetic, user-defined functions …) is answered with 501 and its name.

Semantics: https://learn.microsoft.com/azure/cosmos-db/nosql/query/ . Known to differ: arrays and objects are equal
when their JSON is, so that the order of names matters.
"""

from local.cosmos.query.pages import Page, holds, page

__all__ = ["Page", "holds", "page"]

"""The grammar, and what a text that isn't in it is told."""

import re

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedInput

from local.cosmos import errors

_GRAMMAR = r"""
query: "SELECT"i [top] selection from_ [where] [order] [offset]
condition: from_ [where]
?top: "TOP"i count
?count: INTEGER -> number | PARAMETER -> parameter
?selection: "*" -> everything | "VALUE"i expression -> one_value | column ("," column)* -> columns
column: expression ["AS"i NAME]
from_: "FROM"i NAME ["AS"i? NAME]
?where: "WHERE"i expression
order: "ORDER"i "BY"i sorting ("," sorting)*
sorting: path ["ASC"i | DESC]
offset: "OFFSET"i count "LIMIT"i count

?expression: conjunction | conjunction ("OR"i conjunction)+ -> either
?conjunction: negation | negation ("AND"i negation)+ -> every
?negation: comparison | "NOT"i negation -> negative
?comparison: operand
    | operand COMPARATOR operand -> compare
    | operand "IN"i options -> member
    | operand "NOT"i "IN"i options -> not_member
    | operand "BETWEEN"i operand "AND"i operand -> between
    | operand "NOT"i "BETWEEN"i operand "AND"i operand -> not_between
?operand: STRING -> string
    | SIGN? (INTEGER | DECIMAL) -> number
    | CONSTANT -> constant
    | PARAMETER -> parameter
    | "[" [literal ("," literal)*] "]" -> array
    | "(" expression ")"
    | NAME "(" [expression ("," expression)*] ")" -> call
    | path
?literal: STRING -> string | SIGN? (INTEGER | DECIMAL) -> number | CONSTANT -> constant
options: "(" operand ("," operand)* ")"
path: NAME step*
?step: "." NAME -> named | "[" STRING "]" -> quoted | "[" INTEGER "]" -> element

DESC: "DESC"i
SIGN: "-"
CONSTANT.2: /(true|false|null|undefined)\b/i
COMPARATOR: "<=" | ">=" | "!=" | "<>" | "=" | "<" | ">"
PARAMETER: /@\w+/
NAME: /[a-z_]\w*/i
STRING: /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/
INTEGER: /[0-9]+/
DECIMAL.2: /[0-9]+(\.[0-9]+(e[+-]?[0-9]+)?|e[+-]?[0-9]+)/i
%ignore /\s+/
"""
_LACKING = {"DISTINCT", "GROUP", "JOIN", "LIKE", "EXISTS", "UDF"}
_KEYWORDS = """
AND ARRAY AS ASC BETWEEN BY CASE CAST CONVERT CROSS DESC ELSE END ESCAPE FALSE FOR FROM HAVING IN INNER INSERT INTO IS
LEFT LIMIT NOT NULL OFFSET ON OR ORDER OUTER OVER RIGHT SELECT SET THEN TOP TRUE UNDEFINED UPDATE VALUE WHEN WHERE WITH
"""
_RESERVED = {*_LACKING, *_KEYWORDS.split()}
_TOKENS = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\w+|[<>!]=|\S""")
_PARSER = Lark(_GRAMMAR, parser="lalr", start=["query", "condition"], maybe_placeholders=True)


def parse(text: str, start: str) -> Tree[Token]:
    """The tree of a `query` or `condition`; 400 where it isn't one, 501 where it uses what the stand-in lacks."""
    try:
        return _PARSER.parse(text, start=start)
    except UnexpectedInput as error:
        raise _refused(text, getattr(error, "token", None) or text[getattr(error, "pos_in_stream", 0) :]) from error


def check_name(text: str, name: str) -> str:
    """A name in a query; refused like a syntax error where it is a keyword, as the service does."""
    if name.upper() in _RESERVED:
        raise _refused(text, name)
    return str(name)


def _refused(text: str, near: str) -> errors.CosmosError:
    for word in _TOKENS.findall(text):
        if word.upper() in _LACKING or word in "+/%|&^?{~":
            return errors.unsupported(f"{word.upper()} in queries")
    return errors.bad_request(f"Syntax error, incorrect syntax near '{near[:20]}'.")

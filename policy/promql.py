"""Finds the selectors of a PromQL expression and their matchers, without evaluating it.

The lexical rules are those of Prometheus' parser (promql/parser/lex.go, 3.x). What this module does not know counts as
a selector without matchers, so that a policy refuses it. tests/observability compares it with promtool.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

_TOKEN = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)
    |(?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)
    |(?P<number>(?:0x[0-9a-fA-F]+|[0-9][0-9a-z.]*(?:e[-+]?[0-9]+)?|\.[0-9]+))
    |(?P<word>[a-zA-Z_:][a-zA-Z0-9_:.]*)
    |(?P<range>\[[^\]]*\])
    |(?P<sign>=~|!~|!=|==|>=|<=|[-+*/%^<>=(){},@])""",
    re.VERBOSE,
)
_AGGREGATIONS = frozenset(
    {"avg", "bottomk", "count", "count_values", "group", "limit_ratio", "limitk", "max", "min", "quantile", "stddev"}
    | {"stdvar", "sum", "topk"}
)
#: Words that a list of label names in parentheses follows.
_LABEL_LISTS = frozenset({"by", "without", "on", "ignoring", "group_left", "group_right"})
_OPERATORS = frozenset({"and", "or", "unless", "atan2", "bool", "offset", "inf", "nan", "start", "end"})

#: The matchers of one selector: label -> (operator, value).
Matchers = Mapping[str, tuple[str, str]]


def selectors(expression: str) -> Iterator[Matchers]:
    """Yield the matchers of each selector. Raises ValueError for text that is not PromQL."""
    tokens = tuple(_tokens(expression))
    position = 0
    while position < len(tokens):
        kind, text = tokens[position]
        following = tokens[position + 1][1] if position + 1 < len(tokens) else ""
        position += 1
        if text == "{":
            position, matchers = _matchers(tokens, position)
            yield matchers
        elif kind == "word":
            word = text.lower()
            if word in _LABEL_LISTS and following == "(":
                position = _after(tokens, position + 1, ")")
            elif following == "{":
                position, matchers = _matchers(tokens, position + 1)
                yield matchers
            elif following != "(" and word not in _AGGREGATIONS | _OPERATORS:
                yield {}


def _tokens(expression: str) -> Iterator[tuple[str, str]]:
    position = 0
    while position < len(expression):
        found = _TOKEN.match(expression, position)
        if found is None:
            raise ValueError(f"no PromQL at character {position + 1}")
        if found.lastgroup != "space":
            yield str(found.lastgroup), found[0]
        position = found.end()


def _after(tokens: Sequence[tuple[str, str]], position: int, end: str) -> int:
    while position < len(tokens) and tokens[position][1] != end:
        position += 1
    return position + 1


def _matchers(tokens: Sequence[tuple[str, str]], position: int) -> tuple[int, Matchers]:
    """Return the position behind the closing brace, and the matchers; none for what has an `or` between matchers."""
    found: dict[str, tuple[str, str]] = {}
    bounded = True
    while position < len(tokens) and tokens[position][1] != "}":
        kind, text = tokens[position]
        if kind == "word" and text.lower() == "or":
            bounded = False
        if kind in {"word", "string"} and position + 2 < len(tokens) and tokens[position + 2][0] == "string":
            operator, value = tokens[position + 1][1], tokens[position + 2][1][1:-1]
            name = text[1:-1] if kind == "string" else text
            # Two matchers of one label must both hold; the exact one is what counts.
            if name not in found or operator == "=":
                found[name] = (operator, value)
            position += 2
        position += 1
    return position + 1, found if bounded else {}

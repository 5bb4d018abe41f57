"""Conditions of jobs: `rules`, `only`, `except`, `workflow:rules`, and their expressions."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from lab.standins.gitlab import ci_globs

_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<variable>\$\{?\w+\}?)|(?P<text>"[^"]*"|'[^']*')|(?P<pattern>/(?:[^/\\]|\\.)+/[ismU]*)"""
    r"""|(?P<null>null\b)|(?P<operator>==|!=|=~|!~|&&|\|\||\(|\)))"""
)
_VARIABLE: Final = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_KEYWORDS: Final = {
    "pushes": "push",
    "web": "web",
    "api": "api",
    "schedules": "schedule",
    "triggers": "trigger",
    "pipelines": "pipeline",
    "merge_requests": "merge_request_event",
}


class ExpressionError(Exception):
    """An invalid expression."""


@dataclass(frozen=True, slots=True)
class RuleContext:
    """The source of a pipeline, its short ref name, and whether the ref is a tag."""

    source: str
    ref: str
    tag: bool


@dataclass(frozen=True, slots=True)
class Files:
    """What `exists` and `changes` look at: the paths of a commit; the changed ones, None if there is no comparison."""

    paths: Callable[[], list[str]]
    changed: list[str] | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Attributes of a job that its rules set; None if the job's own attribute applies."""

    when: str | None = None
    allow_failure: bool | None = None
    variables: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class _Pattern:
    text: str


_Value = str | _Pattern | None


class _Expression:
    """A parser that evaluates an expression; `||` has lower precedence than `&&`, which is lower than comparisons."""

    def __init__(self, text: str, variables: Mapping[str, str]) -> None:
        self._tokens = self._scan(text)
        self._variables = variables
        self._place = 0

    @staticmethod
    def _scan(text: str) -> list[tuple[str, str]]:
        tokens, place = [], 0
        while text[place:].strip():
            match = _TOKEN.match(text, place)
            if match is None or match.lastgroup is None:
                raise ExpressionError(text)
            tokens.append((match.lastgroup, match[match.lastgroup]))
            place = match.end()
        if not tokens:
            raise ExpressionError(text)
        return tokens

    def result(self) -> bool:
        value = self._either()
        if self._place != len(self._tokens):
            raise ExpressionError
        return _true(value)

    def _peek(self) -> str:
        kind, text = self._tokens[self._place] if self._place < len(self._tokens) else ("", "")
        return text if kind == "operator" else ""

    def _next(self) -> tuple[str, str]:
        if self._place >= len(self._tokens):
            raise ExpressionError
        self._place += 1
        return self._tokens[self._place - 1]

    def _either(self) -> _Value | bool:
        value = self._both()
        while self._peek() == "||":
            self._next()
            other = self._both()
            value = _true(value) or _true(other)
        return value

    def _both(self) -> _Value | bool:
        value = self._compared()
        while self._peek() == "&&":
            self._next()
            other = self._compared()
            value = _true(value) and _true(other)
        return value

    def _compared(self) -> _Value | bool:
        left = self._single()
        operator = self._peek()
        if operator not in {"==", "!=", "=~", "!~"}:
            return left
        self._next()
        right = self._single()
        if isinstance(left, _Pattern):
            raise ExpressionError
        if operator in {"==", "!="}:
            return (left == right) == (operator == "==")
        return _matches(left, right) == (operator == "=~")

    def _single(self) -> _Value | bool:
        kind, text = self._next()
        if kind == "operator":
            if text != "(":
                raise ExpressionError
            value = self._either()
            if self._next() != ("operator", ")"):
                raise ExpressionError
            return value
        if kind == "variable":
            return self._variables.get(text.strip("${}"))
        if kind == "text":
            return text[1:-1]
        return _Pattern(text) if kind == "pattern" else None


def _true(value: _Value | bool) -> bool:
    return value if isinstance(value, bool) else value not in {None, ""}


def _matches(left: _Value | bool, right: _Value | bool) -> bool:
    text = right.text if isinstance(right, _Pattern) else right
    if not isinstance(text, str) or not isinstance(left, str):
        return False
    pattern = compiled(text)
    return pattern is not None and pattern.search(left) is not None


def compiled(text: str) -> re.Pattern[str] | None:
    """Return a compiled pattern of the form `/…/i`; None for other texts."""
    match = re.fullmatch(r"/(.+)/([ismU]*)", text, re.DOTALL)
    if match is None:
        return None
    flags = 0
    for letter, flag in (("i", re.IGNORECASE), ("s", re.DOTALL), ("m", re.MULTILINE)):
        flags |= flag if letter in match[2] else 0
    try:
        return re.compile(match[1], flags)
    except re.error:
        return None


def holds(expression: str, variables: Mapping[str, str]) -> bool:
    """Whether an `if:` is true. Raises ExpressionError for an invalid expression."""
    try:
        return _Expression(expression, variables).result()
    except RecursionError:
        raise ExpressionError from None


def check(expression: str) -> bool:
    """Whether this is a valid expression."""
    try:
        holds(expression, {})
    except ExpressionError:
        return False
    return True


def first(rules: list[Any], variables: Mapping[str, str], files: Files) -> Verdict | None:
    """Return the verdict of the first matching rule; None if there is none or it is `never`."""
    for rule in rules:
        condition = rule.get("if")
        if condition is not None and not holds(str(condition), variables):
            continue
        if not _exists(rule.get("exists"), variables, files) or not _changes(rule.get("changes"), variables, files):
            continue
        if rule.get("when") == "never":
            return None
        return Verdict(rule.get("when"), _failure(rule.get("allow_failure")), rule.get("variables"))
    return None


def _patterns(value: Any, variables: Mapping[str, str]) -> list[str]:  # noqa: ANN401 - YAML has any type
    paths = value.get("paths") if isinstance(value, dict) else value
    listed = paths if isinstance(paths, list) else [paths]
    return [_VARIABLE.sub(lambda match: variables.get(match[1] or match[2], match[0]), str(one)) for one in listed]


def _exists(value: Any, variables: Mapping[str, str], files: Files) -> bool:  # noqa: ANN401 - YAML has any type
    if value is None:
        return True
    patterns, paths = _patterns(value, variables), files.paths()
    return any(ci_globs.matches(pattern, path) for pattern in patterns for path in paths)


def _changes(value: Any, variables: Mapping[str, str], files: Files) -> bool:  # noqa: ANN401 - YAML has any type
    """Whether a commit changes such a path. True where GitLab does not compare: schedules, tags, new branches."""
    if value is None or files.changed is None:
        return True
    return any(ci_globs.matches(pattern, path) for pattern in _patterns(value, variables) for path in files.changed)


def _failure(value: Any) -> bool | None:  # noqa: ANN401 - YAML has any type
    return value is not False if value is not None else None


def verdict(
    job: Mapping[str, Any],
    situation: RuleContext,
    variables: Mapping[str, str],
    files: Files,
    *,
    workflow: bool = False,
) -> Verdict | None:
    """Return the attributes of a job in the pipeline; None if it does not run.

    A job without conditions runs for branches and tags, and if the configuration has `workflow:rules` for everything.
    """
    if "rules" in job:
        return first(job["rules"], variables, files)
    only = job.get("only")
    if only is None and not workflow:
        only = ["branches", "tags"]
    if only is not None and not _any(only, situation, variables):
        return None
    if "except" in job and _any(job["except"], situation, variables):
        return None
    return Verdict()


def _any(policy: Any, situation: RuleContext, variables: Mapping[str, str]) -> bool:  # noqa: ANN401 - YAML has any type
    if not isinstance(policy, dict):
        refs, expressions = policy, None
    else:
        refs, expressions = policy.get("refs"), policy.get("variables")
    if refs is not None and not any(_named(str(one), situation) for one in _listed(refs)):
        return False
    return expressions is None or any(holds(str(one), variables) for one in _listed(expressions))


def _listed(value: Any) -> list[Any]:  # noqa: ANN401 - YAML has any type
    return value if isinstance(value, list) else [value]


def _named(word: str, situation: RuleContext) -> bool:
    merge_request = situation.source == "merge_request_event"
    if word in _KEYWORDS:
        return situation.source == _KEYWORDS[word]
    if word == "branches":
        return not situation.tag and not merge_request
    if word == "tags":
        return situation.tag
    if merge_request:
        return False
    pattern = compiled(word)
    return pattern.search(situation.ref) is not None if pattern is not None else word == situation.ref

"""YAML to plain values with positions: only the part of YAML that everyone reads the same way.

Plain scalars follow YAML 1.2's core schema. What YAML 1.1 and 1.2 readers disagree on (``on``, ``0123``, ``1:30``,
dates, ...) becomes an `Ambiguous` text, which only fields that expect that very shape take. Anchors, aliases, tags,
merge keys, several documents, duplicate keys and deep nesting are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TypeAlias

import yaml

from usine.spec.problems import Problem, SpecError

try:
    from yaml.cyaml import CParser  # type: ignore[attr-defined]  # the stubs do not export what they import
except ImportError:  # PyYAML without libyaml: slower, same events

    class CParser(yaml.reader.Reader, yaml.scanner.Scanner, yaml.parser.Parser):  # type: ignore[no-redef]
        """PyYAML's pure Python parser behind the C parser's interface."""

        def __init__(self, stream: str) -> None:
            """Read from a text."""
            yaml.reader.Reader.__init__(self, stream)
            yaml.scanner.Scanner.__init__(self)
            yaml.parser.Parser.__init__(self)


Value: TypeAlias = "str | int | float | bool | list[Value] | dict[str, Value] | None"
Position: TypeAlias = tuple[int, int]
Path: TypeAlias = tuple[str | int, ...]

#: Longest file, in bytes: ten times the largest tenant anyone wrote, and parsed in a fraction of a second.
MAX_BYTES = 256 * 1024
#: Deepest nesting of maps and lists; a tenant file needs six.
MAX_DEPTH = 20

_LONGEST_INTEGER = 18  # digits and sign: what any reader takes for 64 bits
_LONGEST_ECHO = 40
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(0|[1-9][0-9]*)\.[0-9]+")
_NULL = {"", "~", "null", "Null", "NULL"}
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_YAML_1_1_BOOLEANS = {"y", "yes", "n", "no", "on", "off"}
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?")
_ODD_NUMBERS = {
    "an octal number": re.compile(r"[-+]?0o?[0-7_]+"),
    "a number": re.compile(
        r"[-+]?(0[0-9_]+|0[xb][0-9a-fA-F_]+|[0-9]+_[0-9_]*|\.[0-9]+|[0-9]+\.|[0-9.]+[eE][-+]?[0-9]+|\.(inf|nan))",
        re.IGNORECASE,
    ),
    "a number in base 60": re.compile(r"[-+]?[0-9]+(:[0-5]?[0-9])+(\.[0-9]*)?"),
}
_TAB_INDENTATION = re.compile(r"^ *\t", re.MULTILINE)
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class Ambiguous(str):
    """An unquoted text that YAML readers disagree on. `reading` says what other readers see."""

    reading: str
    __slots__ = ("reading",)

    def __new__(cls, text: str, reading: str) -> Ambiguous:
        """Keep the text as written, and what else it is read as."""
        self = super().__new__(cls, text)
        self.reading = reading
        return self


class Map(dict[str, Value]):
    """A map that knows where each of its keys and values stands."""

    __slots__ = ("keys_at", "values_at")

    def __init__(self) -> None:
        """Start empty."""
        super().__init__()
        self.keys_at: dict[str, Position] = {}
        self.values_at: dict[str, Position] = {}


class Sequence(list[Value]):
    """A list that knows where each of its items stands."""

    __slots__ = ("items_at",)

    def __init__(self) -> None:
        """Start empty."""
        super().__init__()
        self.items_at: list[Position] = []


def decode(data: bytes, file: str) -> str:
    """Decode a file's bytes as UTF-8 text. Raises SpecError for what a text file of ours cannot hold."""
    if len(data) > MAX_BYTES:
        raise SpecError([Problem(file, 1, 1, f"the file has {len(data)} bytes; at most {MAX_BYTES} are allowed")])
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line, column = before.count(b"\n") + 1, error.start - (before.rfind(b"\n") + 1) + 1
        raise SpecError([Problem(file, line, column, "not UTF-8 text; save the file as UTF-8")]) from None
    if text.startswith("\ufeff"):
        raise SpecError([Problem(file, 1, 1, "the file starts with a byte order mark; save it as UTF-8 without one")])
    if tab := _TAB_INDENTATION.search(text):
        raise SpecError([_at(file, text, tab.end() - 1, "a tab in the indentation; YAML indents with spaces")])
    if control := _CONTROL.search(text):
        code = ord(control.group())
        raise SpecError([_at(file, text, control.start(), f"control character U+{code:04X} is not allowed")])
    return text


def _at(file: str, text: str, index: int, message: str) -> Problem:
    return Problem(file, text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index), message)


def read(data: bytes, file: str) -> Map:
    """Read one YAML document whose top is a map. Raises SpecError, positioned, for anything else."""
    text = decode(data, file)
    try:
        return _Reader(text, file).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise SpecError([Problem(file, line, column, f"not valid YAML: {_plain(error)}")]) from None
    except yaml.YAMLError:
        raise SpecError([Problem(file, 1, 1, "not valid YAML")]) from None


def _plain(error: yaml.MarkedYAMLError) -> str:
    """PyYAML's words without the text around, which may hold anything."""
    problem = (error.problem or "").split(" b'", 1)[0]
    if "found character that cannot start any token" in problem:
        problem = "a character that cannot start a value here; put the value in quotes"
    return ", ".join(part for part in (error.context, problem) if part)


def scalar(text: str) -> Value:
    """Resolve a plain (unquoted) scalar by YAML 1.2's core schema; see `Ambiguous` for the rest."""
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if text in _NULL:
        return None
    first = text[0]
    if first.isdigit() or first in "-+.":
        if _INTEGER.fullmatch(text):
            return int(text) if len(text) <= _LONGEST_INTEGER else Ambiguous(text, "a number")
        if _FLOAT.fullmatch(text):
            return float(text)
        if _DATE.fullmatch(text):
            return Ambiguous(text, "a date")
        for reading, pattern in _ODD_NUMBERS.items():
            if pattern.fullmatch(text):
                return Ambiguous(text, reading)
    elif text.lower() in _YAML_1_1_BOOLEANS:
        return Ambiguous(text, "true or false")
    return text


class _Reader:
    """One document from the parser's events, in one pass."""

    def __init__(self, text: str, file: str) -> None:
        self._parser = CParser(text)
        self._file = file
        self._problems: list[Problem] = []

    def document(self) -> Map:
        events = self._events()
        next(events)  # stream start
        event = next(events)
        if isinstance(event, yaml.StreamEndEvent):
            raise SpecError([Problem(self._file, 1, 1, "the file is empty")])
        event = next(events)
        where = _position(event)
        top = self._value(events, event, 1)
        next(events)  # document end
        event = next(events)
        if isinstance(event, yaml.DocumentStartEvent):
            raise self._refusal(event, "a second document; a file holds exactly one")
        if not isinstance(top, Map):
            self._problems.append(Problem(self._file, *where, "expected a map of fields at the top"))
        if self._problems:
            raise SpecError(self._problems)
        assert isinstance(top, Map)  # noqa: S101 - said to the type checker; refused just above
        return top

    def _events(self) -> Iterator[yaml.Event]:
        get_event = self._parser.get_event
        while (event := get_event()) is not None:
            yield event

    def _refusal(self, event: yaml.Event, message: str) -> SpecError:
        return SpecError([*self._problems, Problem(self._file, *_position(event), message)])

    def _value(self, events: Iterator[yaml.Event], event: yaml.Event, depth: int) -> Value:
        if isinstance(event, yaml.AliasEvent):
            raise self._refusal(event, "an alias (*name); write the value out")
        if event.anchor is not None:  # type: ignore[attr-defined]  # every node event has one
            raise self._refusal(event, "an anchor (&name); write the value out where it is needed")
        tag = event.tag  # type: ignore[attr-defined]
        if tag is not None and tag != "!":
            raise self._refusal(event, "a tag (!name); only plain values are allowed")
        if isinstance(event, yaml.ScalarEvent):
            return scalar(event.value) if event.implicit[0] else str(event.value)
        if depth > MAX_DEPTH:
            raise self._refusal(event, f"nested more than {MAX_DEPTH} levels deep")
        if isinstance(event, yaml.MappingStartEvent):
            return self._map(events, depth)
        return self._sequence(events, depth)

    def _map(self, events: Iterator[yaml.Event], depth: int) -> Map:
        result = Map()
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                return result
            where = _position(event)
            key = self._value(events, event, depth + 1)
            value_event = next(events)
            value_where = _position(value_event)
            value = self._value(events, value_event, depth + 1)
            if not isinstance(key, str):
                self._problems.append(Problem(self._file, *where, "a key must be a text; put it in quotes"))
                continue
            if key == "<<":
                self._problems.append(Problem(self._file, *where, "a merge key (<<); write the fields out"))
                continue
            key = str(key)
            if key in result:
                line = result.keys_at[key][0]
                self._problems.append(
                    Problem(self._file, *where, f"{_short(key)!r} is given twice (first in line {line})")
                )
                continue
            result[key] = value
            result.keys_at[key], result.values_at[key] = where, value_where
        raise self._refusal(event, "the file ends within a map")

    def _sequence(self, events: Iterator[yaml.Event], depth: int) -> Sequence:
        result = Sequence()
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                return result
            result.items_at.append(_position(event))
            result.append(self._value(events, event, depth + 1))
        raise self._refusal(event, "the file ends within a list")


def _position(event: yaml.Event) -> Position:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_ECHO else f"{text[: _LONGEST_ECHO - 3]}..."


def locate(top: Map, path: Path) -> Position:
    """Return where the value at `path` stands; of what is missing, where the closest thing above it stands."""
    where: Position = (1, 1)
    value: Value = top
    for step in path:
        if isinstance(value, Map) and isinstance(step, str) and step in value.values_at:
            where, value = value.values_at[step], value[step]
        elif isinstance(value, Sequence) and isinstance(step, int) and step < len(value.items_at):
            where, value = value.items_at[step], value[step]
        else:
            break
    return where


def locate_key(top: Map, path: Path) -> Position:
    """Return where the key that ends `path` stands."""
    value: Value = top
    for step in path[:-1]:
        if isinstance(value, (Map, Sequence)):
            value = value[step]  # type: ignore[index]  # the path was made from this very tree
    key = path[-1]
    if isinstance(value, Map) and isinstance(key, str) and key in value.keys_at:
        return value.keys_at[key]
    return locate(top, path)

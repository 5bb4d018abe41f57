"""Reads YAML as plain values, and accepts only the part of YAML that all programs read in the same way.

There are two functions for the same bytes. `read` is fast: it returns plain values without positions, and raises
`Suspect` at the first problem. `examine` is for files with problems: it continues after a problem where it can, and
returns the position of each problem and each value.

The cost is linear in the size of a file, which has a limit: anchors, aliases and tags are refused, so nothing is
expanded or constructed, and nesting has a limit.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import yaml
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    StreamStartEvent,
)

from model.problems import START, KeyPath, Place, Position, Problem
from model.reading.yaml_scalars import Ambiguous, plain
from model.texts import find_secrets, show

#: Largest file, in bytes: a hundred times the sample tenant.
MAX_BYTES: Final = 256 * 1024
#: Deepest nesting of mappings and lists; a tenant file needs six.
MAX_DEPTH: Final = 12
#: More problems of one file are not reported.
MAX_PROBLEMS: Final = 100

# Control characters, line breaks of YAML only, and characters that change how text looks (bidirectional and zero-width
# characters, byte order marks).
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff\ud800-\udfff]"
)


try:
    from yaml._yaml import CParser
except ImportError:  # PyYAML without libyaml
    CParser = None  # type: ignore[assignment,misc]


class Suspect(Exception):  # noqa: N818 - not an error: `examine` has something to report
    """`read` found a problem: call `examine`."""


class _EventSource(Protocol):
    # The attributes of an event depend on its kind.
    def get_event(self) -> Any: ...  # noqa: ANN401 - PyYAML has no types


class _PureParser(yaml.reader.Reader, yaml.scanner.Scanner, yaml.parser.Parser):
    """PyYAML's own parser, for Pythons whose PyYAML comes without libyaml: the same events, ten times slower."""

    def __init__(self, text: str) -> None:
        yaml.reader.Reader.__init__(self, text)
        yaml.scanner.Scanner.__init__(self)
        yaml.parser.Parser.__init__(self)


def _parser(text: str) -> _EventSource:
    if CParser is not None:
        parser: _EventSource = CParser(text)
        return parser
    return _PureParser(text)


class _Refused:
    """Replaces a value that was refused and reported, so that no check reports it again."""

    def __repr__(self) -> str:
        return "(refused)"

    def __deepcopy__(self, memo: object) -> _Refused:
        return self


REFUSED: Final = _Refused()


@dataclass(frozen=True, slots=True)
class Examined:
    """The readable content of a file: its `value` (None if nothing can be read), all places, all problems."""

    value: object
    places: Mapping[KeyPath, Place]
    problems: tuple[Problem, ...]


def read(data: bytes, *, nulls: bool = False) -> object:
    """Return the one document of a file as plain values. Raises Suspect at any problem.

    `nulls` allows empty values, which files of other programs may have.
    """
    if len(data) > MAX_BYTES:
        raise Suspect
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise Suspect from None
    if text.startswith("\ufeff"):
        text = text[1:]
    # This is one pass in C.
    if _FORBIDDEN.search(text) or find_secrets(text):
        raise Suspect
    try:
        builder = _Builder(text, None, nulls=nulls)
        value = builder.document()
    except yaml.YAMLError:
        raise Suspect from None
    if builder.suspect:
        raise Suspect
    return value


def examine(data: bytes, source: str, *, nulls: bool = False) -> Examined:
    """Read a file as far as possible, and return all places and all problems of its text."""
    if len(data) > MAX_BYTES:
        message = f"the file has {len(data):,} bytes; at most {MAX_BYTES:,} are allowed"
        return Examined(None, {}, (Problem(source, *START, message),))
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line, column = _Lines(data[: error.start].decode()).place(error.start, after=True)
        return Examined(None, {}, (Problem(source, line, column, "not UTF-8 text: save the file as UTF-8"),))
    # Some editors write a byte order mark at the start, where it is harmless. Elsewhere it is refused.
    text = text.removeprefix("\ufeff")
    problems = [Problem(source, *place, message) for place, message in _text_flaws(text)]
    if _FORBIDDEN.search(text):
        return Examined(None, {}, tuple(problems))
    notes = _Notes({}, [])
    value: object = None
    try:
        value = _Builder(text, notes, nulls=nulls).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = (mark.line + 1, mark.column + 1) if mark else START
        notes.flaws.append((place, _in_plain_words(error, text)))
    except yaml.YAMLError:
        notes.flaws.append((START, "not valid YAML"))
    lines = _Lines(text)
    problems += [Problem(source, *lines.clamp(place), message) for place, message in notes.flaws]
    return Examined(value, notes.places, tuple(problems[:MAX_PROBLEMS]))


def _text_flaws(text: str) -> Iterator[tuple[Position, str]]:
    lines = _Lines(text)
    for count, match in enumerate(_FORBIDDEN.finditer(text)):
        if count == MAX_PROBLEMS:
            return
        yield lines.place(match.start()), f"the character U+{ord(match[0]):04X} is not allowed: remove it"
    for offset, name in find_secrets(text):
        yield (
            lines.place(offset),
            f"this looks like {name} (not shown): do not write secrets into a file; revoke it, put a new one into "
            "Vault and write its path here",
        )


def _in_plain_words(error: yaml.MarkedYAMLError, text: str) -> str:
    """Return the message for an error of libyaml, without any text of the file."""
    problem, context = str(error.problem or "not valid YAML"), str(error.context or "")
    mark = error.problem_mark
    if mark is not None and "cannot start any token" in problem:
        lines = re.split(r"\r\n|\r|\n", text)
        character = lines[mark.line][mark.column : mark.column + 1] if mark.line < len(lines) else ""
        if character == "\t":
            return "a tab where only spaces may indent: replace it with spaces"
        return "a character that cannot start a value: write the value in quotes"
    if "mapping values are not allowed" in problem:
        return 'a second ": " in one line, or wrong indentation: write a text that holds ": " in quotes'
    if "simple key" in context or "expected ':'" in problem:
        return 'not a key and its value: ":" is missing, or the line is indented wrongly'
    if "quoted scalar" in context:
        return "a quoted text is not closed, or holds an escape that YAML does not know"
    if "did not find expected" in problem:
        closer = " (or a bracket is not closed)" if "flow" in context else ""
        return f"not valid YAML here: check the indentation of this line and of the one above{closer}"
    return f"not valid YAML: {problem}"


class _Lines:
    """Offsets to lines and columns, with the line breaks that editors know: LF, CR LF, CR."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts = [0, *(match.end() for match in re.finditer(r"\r\n|\r|\n", text))]

    def place(self, offset: int, *, after: bool = False) -> Position:
        """Return the place of an offset; with `after`, that of the end of the text."""
        offset = len(self._text) if after else offset
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    def clamp(self, place: Position) -> Position:
        """Return a place inside the text: the parser may report one after its end."""
        return place if place[0] <= len(self._starts) else self.place(len(self._text))


@dataclass(slots=True)
class _Notes:
    places: dict[KeyPath, Place]
    flaws: list[tuple[Position, str]]


_NO_KEY: Final = object()
_SKIP: Final = object()


class _Hopeless(Exception):  # noqa: N818 - caught in this module, never shown
    """The rest of the file cannot be read; a flaw states the reason."""


class _Builder:
    """Builds plain values from events, without recursion. With `notes`, continues after a flaw and records it."""

    def __init__(self, text: str, notes: _Notes | None, *, nulls: bool) -> None:
        self._next = _parser(text).get_event
        self._nulls = nulls
        self._notes = notes
        self.suspect = False
        self._path: list[str | int] = []

    def document(self) -> object:
        """Return the value of the only document. Raises yaml.YAMLError for what libyaml refuses."""
        try:
            return self._document()
        except _Hopeless:
            return None

    def _flaw(self, event: Event, message: str) -> None:
        self.suspect = True
        if self._notes is not None:
            if len(self._notes.flaws) >= MAX_PROBLEMS:
                raise _Hopeless
            self._notes.flaws.append((_start(event), message))

    def _document(self) -> object:
        event = self._next()
        if isinstance(event, StreamStartEvent):
            event = self._next()
        if event is None or isinstance(event, StreamEndEvent):
            self.suspect = True
            if self._notes is not None:
                self._notes.flaws.append((START, "the file is empty"))
            return None
        if isinstance(event, DocumentStartEvent) and (event.version or event.tags):
            self._flaw(event, "a directive (%): remove it")
        root = self._value()
        while (event := self._next()) is not None and not isinstance(event, StreamEndEvent):
            if isinstance(event, DocumentStartEvent):
                self._flaw(event, "a second document: one file describes one tenant")
                raise _Hopeless
        return root

    def _value(self) -> object:  # noqa: PLR0912, PLR0915 - one loop over events, kept whole for its speed
        root: object = None
        container: object = None
        key: object = _NO_KEY
        stack: list[tuple[object, object]] = []
        fetch, notes = self._next, self._notes
        while (event := fetch()) is not None:
            kind = type(event)
            if kind is ScalarEvent:
                value = plain(event.value) if event.implicit[0] else event.value
            elif kind is MappingStartEvent:
                value = {}
            elif kind is SequenceStartEvent:
                value = []
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                container, key = stack.pop()
                if not stack:
                    return root
                if notes is not None:
                    self._path.pop()
                continue
            elif kind is AliasEvent:
                self._flaw(event, "an alias (*): write the value out")
                value = REFUSED
            elif kind is DocumentEndEvent:
                return root
            else:
                continue
            if kind is not AliasEvent:
                if event.anchor is not None:
                    self._flaw(event, "an anchor (&): write the value out wherever it is needed")
                if event.tag is not None:
                    self._flaw(event, "a tag (!): only plain values are allowed")
                    if kind is ScalarEvent:
                        value = REFUSED

            if value is None and not self._nulls and (key is not _NO_KEY or type(container) is not dict):
                self._flaw(event, "the value is empty: write a value, or leave the key out")
                value = REFUSED
            if not stack:
                root = value
                part: str | int | None = None
                if notes is not None:
                    notes.places[()] = Place(_start(event), _start(event))
            elif type(container) is list:
                part = len(container)
                container.append(value)
                if notes is not None:
                    notes.places[(*self._path, part)] = Place(_start(event), _start(event))
            elif key is _NO_KEY:
                key = self._key(event, value, container)
                if kind is ScalarEvent or kind is AliasEvent:
                    continue
                part = "?"
            else:
                part = key if isinstance(key, str) else "?"
                if key is not _SKIP:
                    container[key] = value  # type: ignore[index]  # neither a list nor the root: a mapping
                    if notes is not None:
                        path = (*self._path, part)
                        notes.places[path] = Place(notes.places[path].key, _start(event))
                key = _NO_KEY
            if kind is MappingStartEvent or kind is SequenceStartEvent:
                if len(stack) >= MAX_DEPTH:
                    self._flaw(event, f"nested more than {MAX_DEPTH} levels deep")
                    raise _Hopeless
                if notes is not None and part is not None:
                    self._path.append(part)
                stack.append((container, key))
                container, key = value, _NO_KEY
            elif not stack:
                return root
        return root

    def _key(self, event: Event, value: object, container: object) -> object:
        """Check a key, and return it, or a mark to leave its value out."""
        if type(value) is str and value != "<<" and value not in container:  # type: ignore[operator]
            if self._notes is not None:
                self._notes.places[(*self._path, value)] = Place(_start(event), _start(event))
            return value
        if value == "<<":
            self._flaw(event, "a merge key (<<): write the keys out")
        elif isinstance(value, str) and self._notes is not None:
            first = self._notes.places[(*self._path, value)].key[0]
            self._flaw(event, f"the key {show(value)} is here twice; the first is in line {first}")
        elif isinstance(value, Ambiguous):
            self._flaw(
                event, f"{show(value.text)} as a key is read as {value.meaning} by some tools: write it in quotes"
            )
        elif value is not REFUSED:
            self._flaw(event, "a key must be a text: write it in quotes")
        self.suspect = True
        return _SKIP


def _start(event: Event) -> Position:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark is not None else START

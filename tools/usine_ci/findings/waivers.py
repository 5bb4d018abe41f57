"""The waivers of a repository: exceptions for one finding in one place, with a reason and a last day.

Everyone who may merge into the repository may add one: it is a file of the repository like any other.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

import yaml

from usine_ci.findings.model import Finding, Scanner
from usine_ci.problems import Problem, did_you_mean
from usine_ci.text import clean

#: The file's place in a repository.
WAIVERS_FILE: Final = ".usine/waivers.yaml"
#: A waiver is for one case and ends with it; a longer one is renewed, with a look at its reason.
LONGEST: Final = datetime.timedelta(days=90)
_LARGEST: Final = 256 * 1024
_KEYS: Final = ("scanner", "rule", "path", "reason", "until")
_SHORTEST_REASON: Final = 10


@dataclass(frozen=True, slots=True)
class Waiver:
    """One entry. `rule` is the id of a rule, a vulnerability or a licence; in `path`, * stands for any text."""

    scanner: Scanner
    rule: str
    path: str
    reason: str
    until: datetime.date
    line: int
    column: int

    def covers(self, finding: Finding) -> bool:
        """Return whether it is about a finding, whatever the day."""
        return self.scanner is finding.scanner and self.rule == finding.rule and fnmatchcase(finding.path, self.path)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the waivers do: `waived` has each finding that one covers, with it. `notices` are about the waivers."""

    open: tuple[Finding, ...]
    waived: tuple[tuple[Finding, Waiver], ...]
    notices: tuple[Problem, ...]


def judge(
    findings: Iterable[Finding], waivers: Iterable[Waiver], scanned: Iterable[Scanner], today: datetime.date, file: str
) -> Judgement:
    """Apply waivers. One that is past its last day does nothing; it is reported if it is about what was `scanned`."""
    ours = [waiver for waiver in waivers if waiver.scanner in set(scanned)]
    valid = [waiver for waiver in ours if waiver.until >= today]
    used: set[Waiver] = set()
    left: list[Finding] = []
    waived: list[tuple[Finding, Waiver]] = []
    for finding in findings:
        covering = next((waiver for waiver in valid if waiver.covers(finding)), None)
        if covering is None:
            left.append(finding)
        else:
            waived.append((finding, covering))
            used.add(covering)
    notices = [
        Problem(file, w.line, w.column, f"the waiver of {w.rule} expired on {w.until}: it waives nothing any more")
        for w in ours
        if w.until < today
    ]
    notices += [
        Problem(file, w.line, w.column, f"the waiver of {w.rule} waives nothing here: correct it, or take it out")
        for w in valid
        # A scan of new commits does not see the secret of an old one.
        if w not in used and w.scanner is not Scanner.SECRET
    ]
    return Judgement(tuple(left), tuple(waived), tuple(sorted(notices)))


def read(path: Path, name: str, today: datetime.date) -> tuple[tuple[Waiver, ...], tuple[Problem, ...]]:
    """Return the waivers of a file, which may be absent, and its problems. A file with problems waives nothing."""
    if path.is_symlink() or path.parent.is_symlink():
        return (), (Problem(name, 0, 0, "a symbolic link: write the waivers into the file itself"),)
    if not path.exists():
        return (), ()
    if not path.is_file():
        return (), (Problem(name, 0, 0, "not a file"),)
    data = path.read_bytes()
    if len(data) > _LARGEST:
        return (), (Problem(name, 0, 0, f"larger than {_LARGEST // 1024} KiB"),)
    reader = _Reader(name, today)
    waivers = tuple(reader.waivers(data))
    return (() if reader.problems else waivers), tuple(sorted(reader.problems))


class _Reader:
    """Reads one file and collects every problem."""

    def __init__(self, name: str, today: datetime.date) -> None:
        self._name = name
        self._today = today
        self.problems: list[Problem] = []

    def waivers(self, data: bytes) -> Iterator[Waiver]:
        try:
            text = data.decode("utf-8")
            if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader)):
                self._problem(None, "no aliases (*name): write each entry out")
                return
            root = yaml.compose(text, yaml.SafeLoader)
        except UnicodeDecodeError:
            self._problem(None, "not UTF-8")
            return
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark
            place = (mark.line + 1, mark.column + 1) if mark else (0, 0)
            self.problems.append(Problem(self._name, *place, f"not YAML: {error.problem or error.context}"))
            return
        except yaml.YAMLError:
            self._problem(None, "not YAML: it has a character that YAML does not allow")
            return
        except RecursionError:
            self._problem(None, "too deep")
            return
        if root is None:
            return
        for key, value in self._mapping(root, ("waivers",)).items():
            if key == "waivers" and isinstance(value, yaml.SequenceNode):
                for entry in value.value:
                    waiver = self._entry(entry)
                    if waiver is not None:
                        yield waiver
            elif not (isinstance(value, yaml.ScalarNode) and value.tag == "tag:yaml.org,2002:null"):
                self._problem(value, "expected a list of waivers")

    def _entry(self, node: yaml.Node) -> Waiver | None:
        known = len(self.problems)
        keys = self._mapping(node, _KEYS)
        if len(self.problems) == known:
            missing = [key for key in _KEYS if key not in keys]
            if missing:
                self._problem(node, f"missing: {', '.join(missing)}")
        values = {key: self._text(value) for key, value in keys.items()}
        self._scanner(keys, values)
        self._path(keys, values)
        if "reason" in values and len(values["reason"]) < _SHORTEST_REASON:
            self._problem(keys["reason"], f"give the reason in at least {_SHORTEST_REASON} characters")
        until = self._until(keys["until"], values["until"]) if "until" in keys else None
        if until is None or len(self.problems) > known:
            return None
        mark = node.start_mark
        return Waiver(
            Scanner(values["scanner"]),
            values["rule"],
            values["path"],
            values["reason"],
            until,
            mark.line + 1,
            mark.column + 1,
        )

    def _scanner(self, keys: Mapping[str, yaml.Node], values: Mapping[str, str]) -> None:
        words = tuple(scanner.value for scanner in Scanner)
        given = values.get("scanner")
        if given is not None and given not in words:
            self._problem(keys["scanner"], f"no such scanner: {clean(given, 60)!r}; {did_you_mean(given, words)}")
        if "rule" in values and (not values["rule"] or set(values["rule"]) & set("*?[")):
            self._problem(
                keys["rule"], "name one rule, vulnerability or licence, as the job shows it, without patterns"
            )

    def _path(self, keys: Mapping[str, yaml.Node], values: Mapping[str, str]) -> None:
        given = values.get("path")
        if given is None:
            return
        if not given or given.startswith("/"):
            self._problem(keys["path"], "expected a path from the root of the repository, such as tests/* or *.lock")
        elif values.get("scanner") == Scanner.SECRET and not set(given) - set("*?/."):
            self._problem(keys["path"], "a waiver of a secret names its file: this pattern is any file")

    def _until(self, node: yaml.Node, value: str) -> datetime.date | None:
        latest = self._today + LONGEST
        try:
            until = datetime.date.fromisoformat(value)
        except ValueError:
            self._problem(node, f"expected a date such as {latest}")
            return None
        if until > latest:
            self._problem(node, f"at most {LONGEST.days} days ahead, so until {latest} at the latest")
            return None
        return until

    def _mapping(self, node: yaml.Node, allowed: tuple[str, ...]) -> dict[str, yaml.Node]:
        found: dict[str, yaml.Node] = {}
        if not isinstance(node, yaml.MappingNode):
            self._problem(node, f"expected the keys {', '.join(allowed)}")
            return found
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else ""
            if name not in allowed:
                self._problem(key, f"no such key: {clean(name, 60)!r}; {did_you_mean(name, allowed)}")
            elif name in found:
                self._problem(key, f"{name} is there twice")
            else:
                found[name] = value
        return found

    def _text(self, node: yaml.Node) -> str:
        if isinstance(node, yaml.ScalarNode) and node.tag != "tag:yaml.org,2002:null":
            return str(node.value)
        self._problem(node, "expected a text")
        return ""

    def _problem(self, node: yaml.Node | None, text: str) -> None:
        place = (node.start_mark.line + 1, node.start_mark.column + 1) if node is not None else (0, 0)
        self.problems.append(Problem(self._name, *place, text))

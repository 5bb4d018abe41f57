"""The platform's settings for the policies: the file for `--policy-pack-config`, read and checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from model.problems import START, Finding, Problem, SpecError, locate
from model.reading.yaml_reader import REFUSED, examine
from model.texts import did_you_mean, show
from policy.model import Level, Policy
from policy.registry import BY_ID, Setting

#: The key for all policies, and the key of the level of a policy that also has a limit.
_ALL, _LEVEL = "all", "enforcementLevel"
_LEVELS = tuple(level.value for level in Level)


def config_of(pack: Path, stack: str) -> Path | None:
    """Return the policy settings file of the platform of `Pulumi.<stack>.yaml`, if it exists."""
    file = pack / f"{stack}.json"
    return file if file.is_file() else None


def read_config(path: Path) -> Mapping[str, Setting]:
    """Return the settings by policy id. Raises SpecError with all problems of the file.

    ``{"<policy id>": "disabled"}``, or ``{"<policy id>": {"enforcementLevel": "advisory", "maxDays": 90}}``; the id
    ``all`` sets the level of policies that the file does not name.
    """
    source = str(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SpecError([Problem(source, *START, error.strerror or "cannot be read")]) from None
    examined = examine(data, source)  # JSON is YAML
    problems = list(examined.problems)
    if not isinstance(examined.value, dict):
        raise SpecError(problems or [Problem(source, *START, "expected a mapping from policy ids to levels")])
    findings: list[Finding] = []
    settings: dict[str, Setting] = {}
    for id_, value in examined.value.items():
        policy = BY_ID.get(id_)
        if policy is None and id_ != _ALL:
            message = f"no such policy: {show(id_)}; {did_you_mean(id_, BY_ID)}"
            findings.append(Finding(source, (id_,), message, at_key=True))
            continue
        wrong = list(_wrong(source, id_, policy, value))
        findings += wrong
        if not wrong:
            settings[id_] = _setting(policy, value)
    problems += [locate(finding, examined.places) for finding in findings]
    if problems:
        raise SpecError(problems)
    everywhere = settings.pop(_ALL, None)
    return dict.fromkeys(BY_ID, everywhere) | settings if everywhere is not None else settings


def _wrong(source: str, id_: str, policy: Policy | None, value: object) -> Iterator[Finding]:
    limit = policy.limit if policy is not None else None
    if value is REFUSED:
        return
    if not isinstance(value, dict):
        if value not in _LEVELS:
            yield Finding(source, (id_,), f"no such level: {show(value)}; {did_you_mean(value, _LEVELS)}")
        return
    keys = (_LEVEL, limit.name) if limit is not None else (_LEVEL,)
    for key, item in value.items():
        if key not in keys:
            yield Finding(source, (id_, key), f"no such key: {show(key)}; {did_you_mean(key, keys)}", at_key=True)
        elif key == _LEVEL and item not in _LEVELS:
            yield Finding(source, (id_, key), f"no such level: {show(item)}; {did_you_mean(item, _LEVELS)}")
        elif key != _LEVEL and (not isinstance(item, int) or isinstance(item, bool) or item < _least(policy)):
            yield Finding(source, (id_, key), f"expected a whole number, {_least(policy)} or more")


def _least(policy: Policy | None) -> int:
    return policy.limit.minimum if policy is not None and policy.limit is not None else 1


def _setting(policy: Policy | None, value: object) -> Setting:
    if not isinstance(value, dict):
        return Setting(Level(str(value)))
    level = value.get(_LEVEL)
    limit = value.get(policy.limit.name) if policy is not None and policy.limit is not None else None
    return Setting(Level(level) if level is not None else None, limit)

"""Edits the credential generations in the text of a settings file. All other text stays, comments too."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import yaml

from model.problems import START, Problem, SpecError
from model.reading.settings_load import read_settings
from model.settings import Credential, Settings

_ALL, _OF_TENANTS = "usine:credentials", "usine:tenantCredentials"
Lists = Mapping[str | None, tuple[Credential, ...]]


def lists_of(settings: Settings) -> Lists:
    """Return the lists of generations: that of the platform (None), and those of single tenants."""
    lists: dict[str | None, tuple[Credential, ...]] = {None: settings.credentials}
    return lists | dict(settings.tenant_credentials.items())


def rewritten(text: str, source: str, wanted: Lists) -> str:
    """Return the text of a settings file with these lists of generations.

    Raises SpecError if the file has a form that cannot be edited: the result is read again, and must have the wanted
    lists and no other difference.
    """
    before = read_settings(text.encode(), source)
    for slug in dict.fromkeys([*lists_of(before), *wanted]):
        have, want = lists_of(before).get(slug), wanted.get(slug)
        if have == want:
            continue
        text = _without_tenant(text, str(slug)) if want is None else _with_list(text, slug, want)
    of_tenants = {slug: listed for slug, listed in wanted.items() if slug is not None}
    if _read_again(text, source) != replace(before, credentials=wanted[None], tenant_credentials=of_tenants):
        message = f"{_ALL} and {_OF_TENANTS} have a form that cannot be edited: write one generation per line"
        raise SpecError([Problem(source, *START, message)])
    return text


def _read_again(text: str, source: str) -> Settings | None:
    try:
        return read_settings(text.encode(), source)
    except SpecError:
        return None


def _with_list(text: str, slug: str | None, want: Sequence[Credential]) -> str:
    """Return the text with this list; a list that exists keeps the items that stay, with their comments."""
    listed = _at(text, (_ALL,) if slug is None else (_OF_TENANTS, slug))
    if listed is None:
        return _with_entry(text, slug, want)
    if not isinstance(listed, yaml.SequenceNode):
        return text
    stay = {one.name for one in want}
    for index in reversed(range(len(listed.value))):
        if _name(listed.value[index]) not in stay:
            text = _without_item(text, listed, index)
    # The places of the other items have not moved: items are removed from the end on. Now they may have.
    listed = _at(text, (_ALL,) if slug is None else (_OF_TENANTS, slug))
    if not isinstance(listed, yaml.SequenceNode):
        return text
    have = {_name(item) for item in listed.value}
    return _with_items(text, listed, [one for one in want if one.name not in have])


def _with_items(text: str, listed: yaml.SequenceNode, new: Iterable[Credential]) -> str:
    written = [_item(one) for one in new]
    if not written:
        return text
    if listed.flow_style:
        end = listed.value[-1].end_mark.index
        return text[:end] + "".join(f", {one}" for one in written) + text[end:]
    indent = " " * listed.start_mark.column
    return _after_line(text, _last_line(listed), [f"{indent}- {one}" for one in written])


def _without_item(text: str, listed: yaml.SequenceNode, index: int) -> str:
    item = listed.value[index]
    if not listed.flow_style:
        return _without_lines(text, item.start_mark.line, _last_line(item))
    if index:
        return text[: listed.value[index - 1].end_mark.index] + text[item.end_mark.index :]
    if listed.value[1:]:
        return text[: item.start_mark.index] + text[listed.value[1].start_mark.index :]
    return text


def _with_entry(text: str, slug: str | None, want: Sequence[Credential]) -> str:
    """Return the text with a list that does not exist yet, on a line of its own."""
    config = _at(text, ())
    if not isinstance(config, yaml.MappingNode) or config.flow_style or not config.value:
        return text
    flow = f"[{', '.join(map(_item, want))}]"
    indent = " " * config.start_mark.column
    if slug is None:
        return _after_line(text, _last_line(config), [f"{indent}{_ALL}: {flow}"])
    tenants = _at(text, (_OF_TENANTS,))
    if tenants is None:
        beside = _at(text, (_ALL,)) or config
        return _after_line(text, _last_line(beside), [f"{indent}{_OF_TENANTS}:", f"{indent}  {slug}: {flow}"])
    if not isinstance(tenants, yaml.MappingNode):
        return text
    if not tenants.flow_style:
        return _after_line(text, _last_line(tenants), [f"{' ' * tenants.start_mark.column}{slug}: {flow}"])
    end = tenants.value[-1][1].end_mark.index if tenants.value else tenants.start_mark.index + 1
    comma = ", " if tenants.value else ""
    return f"{text[:end]}{comma}{slug}: {flow}{text[end:]}"


def _without_tenant(text: str, slug: str) -> str:
    """Return the text without a tenant's own list, and without the key if it was the only one."""
    config, tenants = _at(text, ()), _at(text, (_OF_TENANTS,))
    if not isinstance(config, yaml.MappingNode) or not isinstance(tenants, yaml.MappingNode):
        return text
    if len(tenants.value) == 1:
        key = next(key for key, _ in config.value if key.value == _OF_TENANTS)
        return _without_lines(text, key.start_mark.line, _last_line(tenants))
    place = next(index for index, (key, _) in enumerate(tenants.value) if key.value == slug)
    key, value = tenants.value[place]
    if not tenants.flow_style:
        return _without_lines(text, key.start_mark.line, _last_line(value))
    if place:
        return text[: tenants.value[place - 1][1].end_mark.index] + text[value.end_mark.index :]
    return text[: key.start_mark.index] + text[tenants.value[1][0].start_mark.index :]


def _at(text: str, path: Sequence[str]) -> yaml.Node | None:
    """Return the value at a path below `config`; None if there is none."""
    node: yaml.Node | None = yaml.compose(text, yaml.SafeLoader)
    for key in ("config", *path):
        if not isinstance(node, yaml.MappingNode):
            return None
        node = next((value for name, value in node.value if name.value == key), None)
    return node


def _name(item: yaml.Node) -> str:
    pairs = item.value if isinstance(item, yaml.MappingNode) else ()
    return next((str(value.value) for key, value in pairs if key.value == "name"), "")


def _item(credential: Credential) -> str:
    # A name such as 2026-11-30 would be a date without quotes.
    until = f", until: {credential.until.isoformat()}" if credential.until else ""
    return f"{{name: {json.dumps(credential.name)}{until}}}"


def _last_line(node: yaml.Node) -> int:
    """Return the last line with text of this value: the end of a block is only where the next one begins."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _last_line(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.line)


def _after_line(text: str, line: int, new: Sequence[str]) -> str:
    lines = text.split("\n")
    lines[line + 1 : line + 1] = new
    return "\n".join(lines)


def _without_lines(text: str, first: int, last: int) -> str:
    lines = text.split("\n")
    del lines[first : last + 1]
    return "\n".join(lines)

"""The comment, read by a Markdown parser: its content and limits, and that texts from outside stay texts."""

from __future__ import annotations

import dataclasses
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from pulumi_facts.values import ABSENT
from tests.report import samples
from tests.report.texts import TEXTS, UNTIMED
from usine.report.markdown import DEFAULT_LIMIT, GITLAB_LIMIT, LEAST_LIMIT, render
from usine.report.markdown_text import code, html_code, prose
from usine.report.model import Action, Entry, Kind, Notice, PropertyChange, Report, Severity, StoredCredential
from usine.report.values import visible

_OUR_TAGS = re.compile(r"</?(?:details|summary|b|sub|code)>|<br>")
_REFERENCES = re.compile(r"&#\d+;")
#: Texts that GitLab may read as a mention, a reference, an emoji, mathematics or a link.
_MEANINGFUL = re.compile(r"[@#!$%&^~*`<>\[\]{}|\\]|//|www\.|\b[0-9a-f]{7,40}\b", re.IGNORECASE)


def parse(text: str) -> list[Token]:
    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)


def check_inert(text: str) -> None:
    """Fail if a comment has markup that is not ours."""
    for line in text.splitlines():
        assert not line.startswith("/"), f"a quick action: {line}"
    for token in parse(text):
        if token.type == "html_block":
            block = re.sub(r"<code>.*?</code>", "", token.content)
            assert not re.search(r"[<>@]", _OUR_TAGS.sub("", block.replace("<!-- usine:diff -->", ""))), token.content
        if token.type == "inline":
            _check_inline(token.children or [])
        assert token.type not in {"code_block", "blockquote_open", "hr"}, token


def _check_inline(children: list[Token]) -> None:
    inside_code = False
    for child in children:
        match child.type:
            case "html_inline":
                assert _OUR_TAGS.fullmatch(child.content), child.content
                inside_code = {"<code>": True, "</code>": False}.get(child.content, inside_code)
            case "text" if not inside_code:
                found = _MEANINGFUL.search(child.content)
                # Ours: the signs in the lists of risks, and the dots in code blocks.
                assert not found or child.content.startswith(("! ", "- ", "-/+ ")), child.content
            case "text" | "code_inline" | "strong_open" | "strong_close" | "softbreak":
                pass
            case other:
                raise AssertionError(f"{other}: {child.content}")


@UNTIMED
@given(TEXTS)
@example("a \\\\| b")
@example("` ` `")
@example("x``")
def test_code_shows_its_text_and_nothing_else(text: str) -> None:
    for shown in (code(text), html_code(text)):
        for around in (f"- x {shown} y\n", f"| a | b |\n|---|---|\n| {shown} | c |\n"):
            check_inert(around)
            content = "".join(
                child.content
                for token in parse(around)
                for child in token.children or []
                if child.type != "html_inline"
            )
            # Markdown shows several blanks as one, and drops those at the ends.
            assert " ".join(visible(text).split()) in " ".join(content.split())


@UNTIMED
@given(TEXTS)
@example("1. one")
@example("go to www.a.b or deadbeef now")
@example("go to 0www.a.b")
@example("see (docs/x.md), or `a|b`: done.")
@example("$`x`$ `a``b`")
def test_a_sentence_shows_its_text_and_nothing_else(text: str) -> None:
    check_inert(f"- x {prose(text)} y\n\n| a | b |\n|---|---|\n| x {prose(text)} | c |\n")


@pytest.mark.parametrize(
    "sentence",
    [
        'environments.dev.stage: no such stage: "devel"; did you mean dev? Allowed: dev, integration, prod',
        "projects.d/teleservice.yaml:31:14, or usine drift --stack prod (see docs/drift.md): l’envelope d'été…",
    ],
)
def test_plain_sentences_stay_readable(sentence: str) -> None:
    assert prose(sentence) == sentence


def test_code_in_a_sentence_excludes_punctuation() -> None:
    assert prose("main 8a11d622fdd1 .. the work tree, 1f0c2ab, or `a b`.") == (
        "main `8a11d622fdd1` .. the work tree, `1f0c2ab`, or `a b`."
    )
    assert prose("all of *, #3 , then") == "all of `*, #3` , then"


@pytest.mark.parametrize("kind", ["diff", "run", "drift", "nothing", "hostile", "large"])
def test_every_sample_has_no_foreign_markup_and_is_balanced(kind: str) -> None:
    text = render(getattr(samples, kind)(), marker="usine:diff")
    check_inert(text)
    assert text.startswith("<!-- usine:diff -->\n")
    lines = text.splitlines()
    assert lines.count("</details>") == sum(line.startswith("<details><summary>") for line in lines)
    assert "\n\n\n" not in text


_VALUES = st.one_of(
    TEXTS, st.just(ABSENT), st.none(), st.lists(TEXTS, max_size=3), st.dictionaries(TEXTS, TEXTS, max_size=3)
)
_PROPERTIES = st.lists(st.builds(PropertyChange, TEXTS, _VALUES, _VALUES), max_size=4).map(tuple)
_ENTRIES = st.builds(
    Entry,
    st.sampled_from(Action),
    st.one_of(st.none(), TEXTS),
    TEXTS,
    TEXTS,
    TEXTS,
    _PROPERTIES,
    st.booleans(),
    st.one_of(st.none(), st.floats(0, 1e5)),
    TEXTS,
)
_NOTICES = st.builds(Notice, TEXTS, st.sampled_from(Severity), TEXTS, TEXTS, TEXTS, waived_by=TEXTS)
_PLAIN = st.builds(
    Report,
    st.sampled_from(Kind),
    TEXTS,
    TEXTS,
    st.lists(st.tuples(TEXTS, TEXTS), max_size=3).map(tuple),
    st.lists(_ENTRIES, max_size=6).map(tuple),
    st.lists(_NOTICES, max_size=4).map(tuple),
    st.lists(st.builds(StoredCredential, st.one_of(st.none(), TEXTS), *[TEXTS] * 5), max_size=2).map(tuple),
)


def _with_one_effect(report: Report) -> Report:
    return dataclasses.replace(report, effects=(tuple({e.tenant: None for e in report.entries if e.tenant}),))


REPORTS = st.one_of(_PLAIN, _PLAIN.map(_with_one_effect))


@UNTIMED
@given(REPORTS, st.integers(LEAST_LIMIT, LEAST_LIMIT * 2), st.sampled_from(["", "https://gitlab.example/-/jobs/1"]))
def test_any_report_has_no_foreign_markup_and_is_within_its_limit(report: Report, limit: int, link: str) -> None:
    text = render(report, marker="usine:diff", limit=limit, link=link)
    assert len(text) <= limit
    check_inert(text.replace(f"<{link}>", "") if link else text)


def test_the_largest_risks_come_first() -> None:
    text = render(samples.diff(), marker="usine:diff")
    order = [
        "**Refused:** Two rules refuse",
        "#### Data that will be destroyed: 3 objects",
        "- **- annuaire-2019, vault: Mount** `annuaire-2019/vault/mount`",
        "- **error** `data-destruction` `projects.d/annuaire-2019.yaml:1:1`",
        "Set `state: archived` first",
        "- **waived** `quota-envelope`",
        "| annuaire-2019 | 5 |",
        "<details><summary><b><code>annuaire-2019</code></b>: 5 to destroy</summary>",
        "<details><summary><b><code>teleservice</code></b>: 1 to replace, 5 to change</summary>",
        '| `spec.hard["limits.cpu"]` | `"4"` | `"8"` |',
        "<details><summary><b><code>guichet</code></b>: 12 to create</summary>",
    ]
    positions = [text.find(each) for each in order]
    assert -1 not in positions, order[positions.index(-1)]
    assert positions == sorted(positions)
    assert '+path "teleservice/data/integration/*" {' in text


def test_words_depend_on_the_kind_of_report() -> None:
    assert "| property | expected | found |" in render(samples.drift(), marker="usine:drift")
    run = render(samples.run(), marker="usine:run")
    assert "#### Failed: 2 objects" in run
    assert "`retention` (30 s) — the server answered 503" in run


@pytest.mark.parametrize("limit", [LEAST_LIMIT, 30_000, DEFAULT_LIMIT])
def test_a_cut_report_keeps_the_largest_risks_and_counts_the_rest(limit: int) -> None:
    report = samples.large(3_000)
    text = render(report, marker="usine:diff", limit=limit, link="https://gitlab.example/-/jobs/7/artifacts")
    assert len(text) <= limit
    assert len(text) > limit * 0.8 - 5_000
    tail = text.splitlines()[-1]
    said = re.fullmatch(
        r"\*\*Cut:\*\* ([\d,]+) objects of the smallest risk, of (\d+) tenants, are not shown here\. "
        r"The whole report: <https://gitlab\.example/-/jobs/7/artifacts>",
        tail,
    )
    assert said, tail
    left_out = int(said[1].replace(",", ""))
    shown = len(re.findall(r"^- `[-~+/!?]+` ", text, re.MULTILINE))
    assert shown + left_out == len(report.entries)
    destroyed = [entry for entry in report.entries if entry.action is Action.DESTROYED]
    names = {entry.name.rpartition("/")[2] for entry in destroyed}
    if limit == DEFAULT_LIMIT:
        assert all(f"`{name}`" in text for name in names)


@pytest.mark.parametrize("length", [300, 2_000, 9_000])
def test_long_texts_stay_within_the_limit(length: int) -> None:
    text = "<" * length
    changes = tuple(PropertyChange(text, text, text) for _ in range(30))
    entries = tuple(
        Entry(Action.DESTROYED if number % 2 else Action.CHANGED, text, text, text, text, changes, True, None, text)
        for number in range(40)
    )
    notices = tuple(Notice(text, Severity.ERROR, text, text, text) for _ in range(80))
    report = Report(Kind.DIFF, text, text, ((text, text),) * 9, entries, notices)
    for limit in (LEAST_LIMIT, 40_000, DEFAULT_LIMIT):
        comment = render(report, marker="usine:diff", limit=limit, link="https://gitlab.example/" + "a" * 480)
        assert len(comment) <= limit
        assert "**Cut:** " in comment.splitlines()[-1]


def test_a_report_that_fits_does_not_mention_cutting() -> None:
    text = render(samples.diff(), marker="usine:diff", link="https://gitlab.example/page.html")
    assert "Cut:" not in text
    assert text.endswith("The whole report: <https://gitlab.example/page.html>\n")


@pytest.mark.parametrize("link", ["javascript:alert(1)", "https://a.example/> <b>x</b>", "https://a.example/\n/close"])
def test_an_invalid_link_is_left_out(link: str) -> None:
    assert "The whole" not in render(samples.diff(), marker="usine:diff", link=link)


@pytest.mark.parametrize("marker", ["", "a --> b", "a--b", "UPPER", "a\nb", "<!-- x -->"])
def test_a_marker_cannot_end_the_hidden_line(marker: str) -> None:
    with pytest.raises(ValueError, match="a marker consists of"):
        render(samples.nothing(), marker=marker)


@pytest.mark.parametrize("limit", [0, LEAST_LIMIT - 1, GITLAB_LIMIT + 1])
def test_an_impossible_limit_is_refused(limit: int) -> None:
    with pytest.raises(ValueError, match="a limit is 10,000 to 1,000,000"):
        render(samples.nothing(), marker="x", limit=limit)

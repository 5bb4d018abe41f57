"""The text of a file: each trap of YAML and of encodings gives a message at its place."""

from __future__ import annotations

import time

import pytest

from model.reading import yaml_reader
from model.reading.yaml_reader import MAX_BYTES, Suspect, examine, read
from tests.spec.helpers import BODY, HEAD, NEXT, one, problems

GOOD = HEAD + BODY

CASES = [
    pytest.param("", 1, 1, "the file is empty", id="empty"),
    pytest.param("# nothing\n\n", 1, 1, "the file is empty", id="comments only"),
    pytest.param("---\n", 2, 1, "the value is empty", id="empty document"),
    pytest.param("- a\n", 1, 1, "expected a mapping at the top", id="list at the top"),
    pytest.param("hello\n", 1, 1, "expected a mapping at the top", id="text at the top"),
    pytest.param(GOOD + "owner: bob\n", 13, 1, 'the key "owner" is here twice; the first is in line 5', id="twice"),
    pytest.param(
        GOOD + "labels:\n  {a: x, b: y, a: z}\n",
        14,
        16,
        'the key "a" is here twice; the first is in line 14',
        id="deep",
    ),
    pytest.param(HEAD + "environments:\n\tdev: {}\n", NEXT + 1, 1, "a tab", id="tab that indents"),
    pytest.param(GOOD.encode() + b"description: caf\xe9\n", 13, 17, "not UTF-8", id="latin-1"),
    pytest.param("é\n".encode() + b"a: \xff", 2, 4, "not UTF-8", id="columns count characters"),
    pytest.param(GOOD.encode("utf-16"), 1, 1, "not UTF-8", id="utf-16"),
    pytest.param(GOOD + "description: a\0b\n", 13, 15, "U+0000", id="NUL"),
    pytest.param(GOOD + "description: a\x1b[31m\n", 13, 15, "U+001B", id="escape sequence"),
    pytest.param(GOOD + "# \u202e reversed\n", 13, 3, "U+202E", id="bidirectional override, in a comment"),
    pytest.param(GOOD + "description: a\ufeffb\n", 13, 15, "U+FEFF", id="byte order mark inside"),
    pytest.param(GOOD + "description: a\u2028b\n", 13, 15, "U+2028", id="line separator"),
    pytest.param(HEAD + "labels: &l {a: b}\n" + BODY, NEXT, 9, "an anchor (&)", id="anchor"),
    pytest.param(HEAD + "labels: *l\n" + BODY, NEXT, 9, "an alias (*)", id="alias"),
    pytest.param(HEAD + "labels: {<<: {a: b}}\n" + BODY, NEXT, 10, "a merge key (<<)", id="merge key"),
    pytest.param(GOOD + "description: !!str x\n", 13, 14, "a tag (!)", id="standard tag"),
    pytest.param(GOOD + "description: !!python/object/apply:os.system [id]\n", 13, 14, "a tag (!)", id="python tag"),
    pytest.param(GOOD + "description: ! x\n", 13, 14, "a tag (!)", id="bare tag"),
    pytest.param("%TAG ! tag:x,2000:\n---\n" + GOOD, 1, 1, "a directive (%)", id="tag directive"),
    pytest.param("%YAML 1.1\n---\n" + GOOD, 1, 1, "a directive (%)", id="version directive"),
    pytest.param(GOOD + "---\n" + GOOD, 13, 1, "a second document", id="two documents"),
    pytest.param(GOOD + "labels: {1: x}\n", 13, 10, "a key must be a text", id="number as key"),
    pytest.param(GOOD + "labels: {on: x}\n", 13, 10, '"on" as a key is read as a truth value', id="on as key"),
    pytest.param(GOOD + "labels: {~: x}\n", 13, 10, "a key must be a text", id="null as key"),
    pytest.param(GOOD + "labels: {[a]: x}\n", 13, 10, "a key must be a text", id="list as key"),
    pytest.param(GOOD + "description:\n", 13, 13, "the value is empty", id="nothing"),
    pytest.param(GOOD + "description: ~\n", 13, 14, "the value is empty", id="null"),
    pytest.param(HEAD + "environments: {dev: {}\n", NEXT + 1, 1, "not valid YAML", id="bracket not closed"),
    pytest.param(GOOD + 'description: "x\n', 14, 1, "a quoted text is not closed", id="quote not closed"),
    pytest.param(GOOD + "description: a: b\n", 13, 15, 'a second ": "', id="two colons"),
    pytest.param(GOOD + "description: @x\n", 13, 14, "write the value in quotes", id="reserved character"),
    pytest.param(GOOD + "labels: " + "[" * 100_000, 13, 20, "nested more than 12 levels", id="deep nesting"),
    pytest.param(GOOD + "labels:\n" + "- " * 50_000 + "x", 14, 23, "nested more than 12 levels", id="deep blocks"),
    pytest.param(GOOD + "#" * 5_000_000, 1, 1, "the file has 5,", id="5 MB"),
]


@pytest.mark.parametrize(("content", "line", "column", "message"), CASES)
def test_a_problem_has_its_place(content: str | bytes, line: int, column: int, message: str) -> None:
    found = [(p.line, p.column) for p in problems(content) if message in p.message]
    assert found == [(line, column)], [str(p) for p in problems(content)]


@pytest.mark.parametrize(("content", "line", "column", "message"), CASES)
def test_pure_python_parser_gives_the_same_answers(
    content: str | bytes, line: int, column: int, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = content if isinstance(content, bytes) else content.encode()
    expected = examine(data, "f").problems
    monkeypatch.setattr(yaml_reader, "CParser", None)
    found = examine(data, "f").problems
    # Where libyaml and the pure parser see the same error a few characters apart, the line is what counts.
    assert {p.line for p in found} == {p.line for p in expected}, (line, column, message)


def test_a_byte_order_mark_at_the_start_and_windows_line_ends_are_harmless() -> None:
    assert one("\ufeff" + GOOD.replace("\n", "\r\n")) == one(GOOD)


@pytest.mark.parametrize(
    "bomb",
    [
        "a: &a [x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(20)),
        "a: &a {b: *a}\n",
        "? " * 100_000,
        "{" * 100_000,
        "a: " + "!" * 200_000,
        "- " * 100_000,
        ("k: [" + "," * 100_000 + "]"),
        "".join(f"k{i}: {i}\n" for i in range(20_000)),
        "".join(f"k: {i}\n" for i in range(30_000)),
    ],
    ids=["laughs", "loop", "question marks", "braces", "tags", "dashes", "commas", "many keys", "one key often"],
)
def test_bombs_are_refused_quickly(bomb: str) -> None:
    start = time.process_time()
    assert problems(bomb)
    assert time.process_time() - start < 5


def test_one_run_reports_all_flaws_of_a_text() -> None:
    found = problems(HEAD + "labels: {a: &x b, c: *x, c: d, <<: {}}\ncontact: a@b.fr\n" + BODY)
    assert len(found) == 5


def test_an_oversized_file_is_not_parsed() -> None:
    with pytest.raises(Suspect):
        read(GOOD.encode() + b"#" * MAX_BYTES)
    (problem,) = examine(GOOD.encode() + b"#" * MAX_BYTES, "f").problems
    assert "at most 262,144 are allowed" in problem.message


@pytest.mark.parametrize(
    ("written", "reading"),
    [
        ("on", "a truth value"),
        ("yes", "a truth value"),
        ("No", "a truth value"),
        ("1.10", "a number with a fraction"),
        ("1e3", "a number with a fraction"),
        (".inf", "a number with a fraction"),
        ("0123", "an octal number"),
        ("0o17", "an octal number"),
        ("089", "a number with leading zeros"),
        ("0x1F", "a hexadecimal number"),
        ("1:30", "a number in base 60"),
        ("2027-06-30", "a date"),
        ("123456789012345678901234567890", "a very large number"),
    ],
)
def test_words_that_tools_read_differently_must_be_quoted(written: str, reading: str) -> None:
    text = GOOD.replace("name: Tenant", f"name: {written}")
    (problem,) = problems(text)
    assert (problem.line, problem.column) == (4, 7)
    assert reading in problem.message
    assert "in quotes" in problem.message
    assert one(GOOD.replace("name: Tenant", f'name: "{written}"')).name == written


@pytest.mark.parametrize(("written", "meant"), [("on", "true"), ("yes", "true"), ("off", "false"), ('"true"', "true")])
def test_only_true_and_false_are_truth_values(written: str, meant: str) -> None:
    (problem,) = problems(GOOD.replace("dev: {}", f"dev: {{autosync: {written}}}"))
    assert "expected true or false" in problem.message
    assert f"did you mean {meant}?" in problem.message


@pytest.mark.parametrize("written", ["12", "true"])
def test_a_number_is_no_text(written: str) -> None:
    (problem,) = problems(GOOD.replace("name: Tenant", f"name: {written}"))
    assert "expected a text" in problem.message

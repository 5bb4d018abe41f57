"""For any content of a file, the loader returns a tenant, or problems with places inside the file."""

from __future__ import annotations

import re

import hypothesis
from hypothesis import given
from hypothesis import strategies as st

from model.problems import SpecError
from model.reading.cron import parse_cron
from model.reading.yaml_reader import Suspect, examine, read
from model.tenant import Tenant
from model.texts import show, show_path
from tests.spec.helpers import BODY, EXAMPLE, HEAD, load_texts, problems

GOOD = (HEAD + BODY).encode()
SAMPLE = EXAMPLE.read_bytes()

yaml_bits = st.sampled_from(
    [
        *(
            "- ",
            ": ",
            "? ",
            "&a ",
            "*a",
            "!!str ",
            "!<x> ",
            "<<",
            "[",
            "]",
            "{",
            "}",
            "|\n",
            ">-\n",
            "'",
            '"',
            "#",
            "%",
        ),
        *(
            "\n",
            "\n  ",
            "\t",
            "\r\n",
            "\r",
            ",",
            "---\n",
            "...\n",
            "null",
            "on",
            "1.10",
            "slug",
            "owner",
            "tenant",
            "é",
        ),
        *("environments", "repositories", "dev", "api", "quota", "cpu", "-1", "\ufeff", "\u2028", "\\x", "@", "`", "0"),
    ]
)
texts = st.lists(st.one_of(yaml_bits, st.text(max_size=5)), max_size=40).map("".join)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3),
    max_leaves=12,
)


def check(content: bytes) -> None:
    """Load a file; every problem has a place that the file has."""
    lines = re.split(rb"\r\n|\r|\n", content)
    for problem in problems(content):
        assert 1 <= problem.line <= len(lines), problem
        # A column counts characters, bytes are at least as many; one more is the end of the line.
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1, problem
        assert "\n" not in str(problem)
        assert problem.message


@given(st.binary(max_size=300))
def test_any_bytes(content: bytes) -> None:
    check(content)


@given(texts)
def test_any_yaml(text: str) -> None:
    check(text.encode("utf-8", "surrogatepass"))


@given(st.integers(0, len(SAMPLE)), st.one_of(yaml_bits, st.text(max_size=3)), st.integers(0, 20))
def test_any_slip_in_a_good_file(at: int, inserted: str, removed: int) -> None:
    check(SAMPLE[:at] + inserted.encode("utf-8", "surrogatepass") + SAMPLE[at + removed :])


@given(st.dictionaries(st.sampled_from(re.findall(r"\w+(?=:)", SAMPLE.decode())), json_values, max_size=6))
def test_any_values_under_known_keys(values: dict[str, object]) -> None:
    body = "".join(f"{key}: {_flow(value)}\n" for key, value in values.items())
    check(GOOD + body.encode("utf-8", "surrogatepass"))


def _flow(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{_escape(k)}": {_flow(v)}' for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return f'"{_escape(value)}"' if isinstance(value, str) else str(value)


def _escape(text: str) -> str:
    return "".join(f"\\U{ord(c):08x}" for c in text if not 0xD800 <= ord(c) <= 0xDFFF)


@given(texts)
def test_the_quick_and_the_thorough_reading_agree(text: str) -> None:
    data = text.encode("utf-8", "surrogatepass")
    examined = examine(data, "f")
    try:
        value = read(data)
    except Suspect:
        assert examined.problems
        return
    assert not examined.problems
    assert examined.value == value


@given(st.text())
def test_what_is_shown_fits_on_a_line(text: str) -> None:
    assert show(text).isprintable()
    assert len(show(text)) < 800
    assert show_path((text, 0, text)).isprintable()


@given(st.text(alphabet="0123456789*/,- janmonsu", max_size=30))
def test_cron_answers_with_a_schedule_or_a_value_error(text: str) -> None:
    try:
        schedule = parse_cron(text)
    except ValueError:
        return
    assert parse_cron(schedule) == schedule
    assert len(schedule.split(" ")) == 5


@hypothesis.settings(max_examples=30)
@given(st.permutations(SAMPLE.decode().split("\n\n")[1:]))
def test_order_of_keys_changes_nothing(blocks: list[str]) -> None:
    head, *_ = SAMPLE.decode().split("\n\n")
    text = "\n\n".join([head, *blocks])

    def loaded(content: str) -> Tenant:
        (tenant,) = load_texts({"teleservice.yaml": content})
        return tenant

    assert loaded(text) == loaded(SAMPLE.decode())


def test_problems_are_sorted_and_single() -> None:
    found = problems(GOOD + b"x: 1\ny: 2\n")
    assert found == sorted(set(found))
    assert SpecError([*found, *found]).problems == tuple(found)

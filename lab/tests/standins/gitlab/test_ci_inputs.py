"""`spec:inputs` and patterns of paths, without a server."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from lab.standins.gitlab import ci_globs, ci_inputs

BODY = "value: '$[[ inputs.one ]]'"


def filled(spec: str, given: dict[str, Any] | None = None, body: str = BODY, **known: str) -> str:
    header = yaml.safe_load(f"spec: {{inputs: {{one: {spec}}}}}")
    return ci_inputs.filled(body, header, given or {}, known)


@pytest.mark.parametrize(
    ("spec", "given", "expected"),
    [
        ("{default: a}", {}, "value: 'a'"),
        ("{default: ''}", {}, "value: ''"),
        ("", {"one": 3}, "value: '3'"),
        ("{type: number}", {"one": 3.5}, "value: '3.5'"),
        ("{type: boolean, default: false}", {"one": True}, "value: 'true'"),
        ("{type: array, default: [a]}", {"one": ["b", "c"]}, """value: '["b", "c"]'"""),
        ("{options: [a, b], default: a}", {"one": "b"}, "value: 'b'"),
        ("{type: number, options: [1, 2], default: 1}", {"one": 2}, "value: '2'"),
        ("{regex: '^v\\d+$', default: v1}", {"one": "v22"}, "value: 'v22'"),
    ],
)
def test_inputs_are_put_in(spec: str, given: dict[str, Any], expected: str) -> None:
    assert filled(spec, given) == expected


@pytest.mark.parametrize(
    ("spec", "given", "message"),
    [
        ("", {}, "`one` input: required value has not been provided"),
        ("{default: a}", {"other": 1}, "unknown input arguments: other"),
        ("{type: number}", {"one": "x"}, "`one` input: provided value is not a number"),
        ("{type: boolean, default: 1}", {}, "`one` input: default value is not a boolean"),
        ("{type: array}", {"one": "x"}, "`one` input: provided value is not an array"),
        (
            "{options: [a], default: a}",
            {"one": "b"},
            "`one` input: `b` cannot be used because it is not in the list of allowed options",
        ),
        (
            "{regex: '^v\\d+$'}",
            {"one": "x"},
            "`one` input: provided value does not match required RegEx pattern",
        ),
        ("{type: number, regex: a}", {"one": 1}, "`one` input: RegEx validation can only be used with string inputs"),
        ("{type: boolean, options: [true], default: true}", {},
         "`one` input: Options can only be used with string and number inputs"),
        ("{type: date}", {"one": 1}, "header:spec:inputs:one input type unknown value: date"),
        ("{required: true}", {"one": 1}, "header:spec:inputs:one config contains unknown keys: required"),
    ],
)  # fmt: skip
def test_wrong_inputs_are_refused(spec: str, given: dict[str, Any], message: str) -> None:
    with pytest.raises(ci_inputs.InputError) as caught:
        filled(spec, given)
    assert message in str(caught.value)


def test_functions_of_blocks() -> None:
    given = {"one": "a b $NAME"}
    assert filled("", given, "$[[ inputs.one | truncate(0,3) ]]") == "a b"
    assert filled("", given, "$[[ inputs.one | expand_vars | truncate(4,4) ]]", NAME="known") == "know"
    assert filled("", given, "$[[ inputs.one | posix_quote ]]") == "'a b $NAME'"
    assert filled("", given, "$[[ inputs.one | posix_escape ]]") == "a\\ b\\ \\$NAME"
    for block, message in (
        ("$[[ inputs.one | upper ]]", "no function matching `upper`"),
        ("$[[ inputs.two ]]", "unknown interpolation key: `two`"),
        ("$[[ other.one ]]", "unknown interpolation key: `other`"),
        ("$[[ one ]]", "invalid interpolation access pattern"),
    ):
        with pytest.raises(ci_inputs.InputError, match=message):
            filled("", given, block)
    with pytest.raises(ci_inputs.InputError, match="can only be used with string inputs"):
        filled("{type: number}", {"one": 1}, "$[[ inputs.one | truncate(0,3) ]]")


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("Containerfile", "Containerfile", True),
        ("Containerfile", "a/Containerfile", False),
        ("*.py", "a.py", True),
        ("*.py", "a/b.py", False),
        ("**/*.py", "b.py", True),
        ("**/*.py", "a/b/c.py", True),
        ("a/**/*", "a/b/c", True),
        ("a/**/*", "b/a/c", False),
        ("a/**", "a/b", True),
        ("a/**", "a/b/c", False),
        ("*", ".hidden", True),
        ("{a,b}.txt", "b.txt", True),
        ("[!a].txt", "a.txt", False),
        ("pom.xml", "pomxxml", False),
        ("?.c", "ab.c", False),
    ],
)
def test_patterns_of_paths(pattern: str, path: str, expected: bool) -> None:
    assert ci_globs.matches(pattern, path) is expected

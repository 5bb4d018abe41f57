"""The command line of the tools image: what every subcommand relies on."""

from __future__ import annotations

import importlib
import inspect
import json
import subprocess
import sys
import tomllib
from argparse import Namespace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from usine_ci import cli
from usine_ci.problems import Problem, RefusedError, did_you_mean
from usine_ci.text import MASK, clean, mask

TOOLS = Path(__file__).resolve().parents[2] / "tools"

SECRETS = [
    "glpat-" + "x" * 20,
    "hvs." + "A" * 24,
    "sqp_" + "0" * 40,
    "ghp_" + "a" * 36,
    "AKIA" + "Q" * 16,
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY-----",
]


@pytest.mark.parametrize("name", cli.names())
def test_each_module_is_a_subcommand(name: str) -> None:
    module = importlib.import_module(f"usine_ci.commands.{name.replace('-', '_')}")
    assert list(inspect.signature(module.arguments).parameters) == ["parser"]
    assert list(inspect.signature(module.run).parameters) == ["options"]
    assert module.__doc__, "the help of the command"


@pytest.mark.parametrize("name", cli.names())
def test_each_subcommand_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main([name, "--help"])
    assert end.value.code == 0
    assert f"usine-ci {name}" in capsys.readouterr().out


def test_a_wrong_command_is_answered_with_the_right_ones(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["finding"])
    assert end.value.code == cli.REFUSED
    assert "findings" in capsys.readouterr().err


def test_the_package_needs_only_what_its_image_has() -> None:
    """Each of its modules is imported alone; what is loaded then is of Python, of PyYAML or of itself."""
    script = (
        "import json, pkgutil, importlib, sys\n"
        "before = set(sys.modules)\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "import usine_ci\n"
        "for m in pkgutil.walk_packages(usine_ci.__path__, 'usine_ci.'):\n"
        "    m.name.endswith('__main__') or importlib.import_module(m.name)\n"
        "print(json.dumps(sorted({n.partition('.')[0] for n in set(sys.modules) - before})))"
    )
    answer = subprocess.run(
        [sys.executable, "-I", "-c", script, str(TOOLS)], capture_output=True, text=True, check=True, cwd="/"
    )
    loaded = {name for name in json.loads(answer.stdout) if "cython" not in name}  # PyYAML's own runtime
    foreign = loaded - sys.stdlib_module_names - {"usine_ci", "yaml", "_yaml"}
    assert foreign == set()


def test_the_package_says_what_it_needs() -> None:
    project = tomllib.loads((TOOLS / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert [dependency.partition(">")[0] for dependency in project["dependencies"]] == ["PyYAML"]
    assert project["scripts"] == {"usine-ci": "usine_ci.cli:main"}


def _failing(error: Exception) -> object:
    class Failing:
        __doc__ = "Fails."

        def arguments(self, parser: object) -> None:
            del parser

        def run(self, options: Namespace) -> int:
            del options
            raise error

    return Failing()


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (RefusedError("no\x1b[31m report"), "no report\n"),
        (
            RefusedError([Problem("b.yaml", 2, 1, "bad"), Problem("a.yaml", 0, 0, "bad")]),
            "a.yaml: bad\nb.yaml:2:1: bad\n",
        ),
        (FileNotFoundError(2, "No such file or directory", "x.json"), "x.json: No such file or directory\n"),
    ],
)
def test_wrong_input_is_no_traceback(
    error: Exception, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "names", lambda: ("failing",))
    monkeypatch.setitem(sys.modules, "usine_ci.commands.failing", _failing(error))
    assert cli.main(["failing"]) == cli.REFUSED
    assert capsys.readouterr().err == line


@pytest.mark.parametrize("secret", SECRETS)
def test_the_shape_of_a_secret_is_masked(secret: str) -> None:
    assert mask(f"key = {secret} #") == f"key = {MASK} #"
    assert secret not in clean(f"key = {secret} #")


def test_the_password_of_a_url_is_masked() -> None:
    assert clean("clone https://me:s3cret@git.example.fr/x") == f"clone https://{MASK}@git.example.fr/x"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb\r\nc", "a b c"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("section_start:1700000000:x\r\x1b[0KHidden", "section start 1700000000:x Hidden"),
        ("a\u202eb\u200bc\x00\x9b1md", "abc1md"),
        ("\x1b]0;title\x07text", "text"),
        ("gl\x00pat-" + "x" * 20, MASK),
        ("x" * 3000, "x" * 1999 + "…"),
    ],
)
def test_text_of_others_is_one_harmless_line(text: str, shown: str) -> None:
    assert clean(text) == shown


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=200))
def test_no_text_does_anything_to_a_log(text: str) -> None:
    shown = clean(text)
    assert shown.isprintable()
    assert clean(shown) == shown


def test_a_misspelt_word_is_corrected() -> None:
    assert did_you_mean("hihg", ("low", "high")) == "did you mean high?"
    assert did_you_mean("?", ("low", "high")) == "allowed: low, high"

"""The scope file of a planning process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from model.problems import SpecError
from tests.diff.scratch import ROOT
from usine.commands.plan import _read_scope
from usine.plan.scope import PlanScope, load_scope


@pytest.mark.parametrize(
    "scope",
    [
        PlanScope(frozenset()),
        PlanScope(frozenset({"b", "a"}), frozenset()),
        PlanScope(frozenset({"a"}), frozenset({"x.y"})),
    ],
)
def test_a_scope_is_read_back(scope: PlanScope) -> None:
    assert load_scope(scope.dumps()) == scope


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"tenants": "a"}', '{"tenants": [1]}', '{"tenants": [], "x": 1}'])
def test_a_file_that_is_not_a_scope_is_reported_with_its_name(tmp_path: Path, text: str) -> None:
    file = tmp_path / "scope.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError) as error:
        _read_scope(file)
    assert str(error.value).startswith(f"{file}:1:1: not a scope: ")
    with pytest.raises(SpecError, match="No such file"):
        _read_scope(tmp_path / "none")


def test_a_comparison_imports_no_provider_sdk() -> None:
    """The SDKs take seconds to load, and only the planning processes need them."""
    code = (
        "import sys, usine.commands.diff;"
        "names = {module.partition('.')[0] for module in sys.modules};"
        "print([name for name in names if name != 'pulumi_facts' and name.startswith(('pulumi', 'components'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

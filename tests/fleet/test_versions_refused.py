"""Versions that cannot run the tenants that are pinned to them."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest
import yaml

from tests.fleet.fake import SLUGS
from tests.fleet.repository import VERSION, Repository, other_packages


def tamper(repository: Repository) -> None:
    assert repository.problem() == ""
    (repository.checkout / "components" / "a.py").write_text("tampered", encoding="utf-8")


def add_a_file(repository: Repository) -> None:
    assert repository.problem() == ""
    (repository.checkout / "usine" / "json.py").write_text("print('mine')", encoding="utf-8")


def move_the_checkout(repository: Repository) -> None:
    assert repository.problem() == ""
    repository.git("-C", str(repository.checkout), "checkout", "--quiet", "--detach", "main")


def replace_the_folder(repository: Repository) -> None:
    shutil.rmtree(repository.checkout)
    shutil.copytree(repository.fleet.root / "usine", repository.checkout / "usine")


def no_commit(repository: Repository) -> None:
    repository.fleet.settle(**{"usine:fleet": {"versions": {VERSION: "0" * 40}, "longestPin": "30d"}})


def a_shallow_clone(repository: Repository) -> None:
    (repository.fleet.root / ".git" / "shallow").write_text(repository.git("rev-parse", "HEAD") + "\n")
    no_commit(repository)


def other_settings_file(repository: Repository) -> None:
    moved = repository.fleet.root / "Pulumi.other.yaml"
    repository.fleet.settings.rename(moved)
    repository.fleet.settings = moved


def wrong_settings(repository: Repository) -> None:
    settings = repository.fleet.settings
    right = settings.read_text(encoding="utf-8")
    settings.write_text("config: [\n", encoding="utf-8")
    wrong = repository.commit()
    settings.write_text(right, encoding="utf-8")
    repository.fleet.settle(**{"usine:fleet": {"versions": {VERSION: wrong}, "longestPin": "30d"}})


def settings_elsewhere(repository: Repository) -> None:
    moved = repository.fleet.root.parent / f"{repository.fleet.root.name}.yaml"
    document = yaml.safe_load(repository.fleet.settings.read_text(encoding="utf-8"))
    document["config"]["usine:projects"] = str(repository.fleet.root / "projects.d")
    moved.write_text(yaml.safe_dump(document), encoding="utf-8")
    repository.fleet.settings = moved


def one_mapping(repository: Repository) -> None:
    file = repository.fleet.root / "projects.d" / "beta.yaml"
    file.write_text("{slug: beta, pin: {version: v1}}\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (tamper, "is not as in git (components/a.py): remove that folder"),
        (add_a_file, "is not as in git (usine/json.py): remove that folder"),
        (move_the_checkout, "is not as in git (.): remove that folder"),
        (replace_the_folder, "is not as in git (.): remove that folder"),
        (other_packages, "it has other packages than the present version: run `make venv` in "),
        (no_commit, f"there is no revision {'0' * 40} in this clone"),
        (a_shallow_clone, "the clone is shallow; fetch all of it (git fetch --unshallow; in GitLab CI: GIT_DEPTH: 0)"),
        (other_settings_file, "has no settings file Pulumi.other.yaml"),
        (wrong_settings, "Pulumi.prod.yaml is no settings file"),
        (settings_elsewhere, "is not in the checkout, so versions have no settings"),
        (one_mapping, "beta.yaml: its keys at the top are not on lines of their own"),
    ],
)
def test_a_version_that_cannot_be_used(repository: Repository, spoil: Callable[[Repository], None], why: str) -> None:
    assert repository.problem() == ""
    spoil(repository)
    assert repository.problem().startswith(f"pinned to {VERSION}, which cannot run it: ")
    assert why in repository.problem()


def test_a_version_that_cannot_be_used_stops_its_tenants_only(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet = repository.fleet
    repository.pin()
    no_commit(repository)
    code, report = fleet.report("up")
    assert (code, repository.checkout.exists()) == (4, False)
    assert sorted(fleet.calls()) == ["prod up", *(f"prod.{slug} up" for slug in SLUGS if slug != "beta")]
    (notice,) = (notice for notice in report.notices if notice.rule == "fleet")
    why = f"pinned to {VERSION}, which cannot run it: there is no revision {'0' * 40} in this clone"
    assert (notice.tenant, notice.text) == ("beta", f"1 stack not run, {why}: beta")
    assert report.verdict == "4 stacks run: 4 applied; 0 unchanged; 1 not begun."
    # No option runs it with another version, and the job of another tenant does not fail.
    assert fleet.run("up", "--tenant", "beta", "--now") == 1
    assert fleet.run("up", "--only", "tenants", "--among", "alpha") == 0
    assert fleet.calls() == []
    capsys.readouterr()
    assert fleet.run("plan") == 0
    assert f"1 stack waiting, {why}: beta\n" in capsys.readouterr().out
    assert fleet.run("report", "--run", "1") == 1, "the last job of a pipeline fails"
    assert "0 stacks run; 4 unchanged; 1 not begun." in capsys.readouterr().out

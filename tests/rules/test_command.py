"""`usine rules` on a scratch repository: refused and accepted changes, and the reports."""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.spec.helpers import ROOT
from tests.template import SETTINGS_FILE
from usine.program import PROGRAM
from usine.rules import RULES

#: What a run needs of the checkout; the rest would only have to be copied.
PARTS = (*PROGRAM, "CODEOWNERS", "waivers.yaml")
#: Few tenants are planned faster.
TENANTS = ("annuaire-2019", "petitions", "teleservice")
SECRET = "marker-1f0c-not-for-anyones-eyes"
WAIVER = """\
waivers:
  - rule: {rule}
    tenant: petitions
    by: agnes.platel
    reason: Moved by hand before; ticket 4711
    expires: {expires}
"""


@dataclasses.dataclass(frozen=True)
class Scratch:
    """A clone whose branch main is the base; what is changed afterwards is the head."""

    root: Path
    environment: dict[str, str]

    def git(self, *arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=self.root, env=self.environment, check=True, capture_output=True)

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "x")

    def tenant(self, slug: str, old: str = "", new: str = "") -> Path:
        path = self.root / "projects.d" / f"{slug}.yaml"
        if old:
            text = path.read_text(encoding="utf-8")
            assert old in text
            path.write_text(text.replace(old, new, 1), encoding="utf-8")
        return path

    def rules(
        self, *arguments: str, author: str = "agnes.platel", **variables: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "usine", "rules", *arguments],
            cwd=self.root,
            env={**self.environment, "GITLAB_USER_LOGIN": author, **variables},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory, caches: Path) -> Scratch:
    root = tmp_path_factory.mktemp("rules") / "clone"
    root.mkdir()
    for path in (SETTINGS_FILE, *(ROOT / name for name in PARTS)):
        if path.is_dir():
            shutil.copytree(path, root / path.name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, root)
    (root / "projects.d").mkdir()
    for slug in TENANTS:
        shutil.copy(ROOT / "projects.d" / f"{slug}.yaml", root / "projects.d")
    (root / ".gitignore").write_text("__pycache__/\nout/\n", encoding="utf-8")
    keep = {key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "CI_", "GITLAB_"))}
    identity = {f"GIT_{who}_{what}": "x@example.fr" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    cache = {"XDG_CACHE_HOME": str(caches), "VAULT_TOKEN": SECRET}
    scratch = Scratch(root, {**keep, **identity, **cache})
    scratch.git("init", "--quiet", "--initial-branch", "main")
    scratch.commit()
    return scratch


@pytest.fixture
def scratch(clone: Scratch) -> Iterator[Scratch]:
    """Start each test at the same base, and clean up after it."""
    clone.git("checkout", "--quiet", "-B", "change", "main")
    clone.git("branch", "--force", "base", "main")
    yield clone
    clone.git("reset", "--quiet", "--hard")
    clone.git("clean", "--quiet", "-fdx")


Edit = Callable[[Scratch], object]


def rename(scratch: Scratch) -> None:
    scratch.tenant("petitions", "slug: petitions", "slug: doleances").rename(scratch.tenant("doleances"))


def nothing(scratch: Scratch) -> None:
    """Leave everything as it is."""


CASES: list[tuple[str, Edit, str, set[str], int]] = [
    ("nothing", nothing, "helene.faure", set(), 0),
    ("a stranger", lambda s: s.tenant("petitions", "Pétitions", "Pétition"), "emma.leroy", {"own-tenant"}, 3),
    ("archived", lambda s: s.tenant("annuaire-2019").unlink(), "agnes.platel", {"data-destruction"}, 0),
    ("rename", rename, "agnes.platel", {"data-destruction", "slug-renamed"}, 3),
]


@pytest.mark.parametrize(("edit", "author", "said", "code"), [case[1:] for case in CASES], ids=[c[0] for c in CASES])
def test_which_changes_are_refused(scratch: Scratch, edit: Edit, author: str, said: set[str], code: int) -> None:
    edit(scratch)
    done = scratch.rules("--base", "base", author=author)
    assert (done.returncode, done.stderr) == (code, ""), done.stdout
    assert {rule.id for rule in RULES if f"[{rule.id}]" in done.stdout} == said, done.stdout
    assert SECRET not in done.stdout


def test_the_reports_point_to_the_lines(scratch: Scratch) -> None:
    path = scratch.tenant("petitions", "owner: helene.faure", "owner:  zoe.neuf")
    scratch.tenant("petitions", "  dev: {}", "  dev: {egress: [{host: api.teleservice-prod}]}")
    lines = path.read_text(encoding="utf-8").splitlines()
    owner = lines.index("owner:  zoe.neuf") + 1
    opening = next(n for n, line in enumerate(lines, 1) if "egress" in line)
    out = scratch.root / "out"
    files = {name: out / f"{name}.txt" for name in ("code-quality", "junit", "json")}
    done = scratch.rules("--base", "base", *(f"--{name}={file}" for name, file in files.items()), author="helene.faure")
    assert done.returncode == 3
    assert (
        f"projects.d/petitions.yaml:{owner}:9: error: the owner of petitions changes from helene.faure to zoe.neuf"
        in done.stdout
    )
    assert "    add the new owner as a member first" in done.stdout
    assert (
        f"projects.d/petitions.yaml:{opening}:25: error: api.teleservice-prod is inside teleservice-prod" in done.stdout
    )
    found = {
        (f["check_name"], f["location"]["lines"]["begin"]) for f in json.loads(files["code-quality"].read_text("utf-8"))
    }
    assert found >= {("owner-stays", owner), ("cross-tenant", opening), ("access-widened", opening)}
    cases = list(ElementTree.fromstring(files["junit"].read_text("utf-8")).iter("testcase"))  # noqa: S314 - our own
    assert {case.attrib["name"] for case in cases} == {rule.id for rule in RULES}
    failed = {case.attrib["name"] for case in cases if case.find("failure") is not None}
    assert failed == {"owner-stays", "cross-tenant"}
    for file in files.values():
        assert SECRET not in file.read_text("utf-8")
        assert str(scratch.root) not in file.read_text("utf-8")


def test_a_waiver_waives_once_it_is_merged(scratch: Scratch) -> None:
    expires = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(30)
    waiver = WAIVER.format(rule="data-destruction", expires=expires)
    scratch.tenant("petitions").unlink()
    (scratch.root / "waivers.yaml").write_text(waiver, encoding="utf-8")
    brought = scratch.rules("--base", "base", author="helene.faure")
    assert brought.returncode == 3
    assert (
        "waivers.yaml:2:5: warning: the waiver of data-destruction for petitions does not apply yet" in brought.stdout
    )
    # The platform team merges the waiver first.
    scratch.git("checkout", "--quiet", "base", "--", "projects.d")
    scratch.commit()
    scratch.git("branch", "--force", "base")
    scratch.tenant("petitions").unlink()
    done = scratch.rules("--base", "base", author="helene.faure")
    assert done.returncode == 0, done.stdout
    assert "error, waived: the file of petitions is removed while it is active" in done.stdout
    assert f"    waived by agnes.platel until {expires}: Moved by hand before; ticket 4711" in done.stdout


def test_waivers_and_team_members_removed_from_the_target_do_not_apply(scratch: Scratch) -> None:
    """The target branch decides about waivers and the platform team, not the branch (issue 11.A9)."""
    expires = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(30)
    (scratch.root / "waivers.yaml").write_text(WAIVER.format(rule="data-destruction", expires=expires), "utf-8")
    scratch.commit()
    scratch.git("branch", "--force", "base")
    scratch.git("update-ref", "refs/remotes/origin/target", "base")
    (scratch.root / "waivers.yaml").unlink()
    settings = scratch.root / "Pulumi.lab.yaml"
    text = settings.read_text("utf-8")
    assert text.count("agnes.platel") == 1
    settings.write_text(text.replace("agnes.platel", "someone.else"), encoding="utf-8")
    scratch.commit()
    scratch.git("branch", "--force", "taken-away")
    scratch.git("checkout", "--quiet", "-B", "change", "base")
    scratch.tenant("petitions").unlink()
    pipeline = {"CI_MERGE_REQUEST_DIFF_BASE_SHA": "base", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "target"}
    assert scratch.rules(**pipeline).returncode == 0
    scratch.git("update-ref", "refs/remotes/origin/target", "taken-away")
    done = scratch.rules(**pipeline)
    assert done.returncode == 3, done.stdout
    assert "error: the file of petitions is removed while it is active" in done.stdout
    assert "agnes.platel has no role in petitions" in done.stdout


def test_the_person_who_runs_a_fork_s_pipeline_is_not_its_author(scratch: Scratch) -> None:
    for slug in ("petitions", "teleservice"):
        scratch.tenant(slug, "slug:", "# Changed\nslug:")
    ids = {"CI_MERGE_REQUEST_PROJECT_ID": "1", "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "1"}
    assert "the author is unknown" not in scratch.rules("--base", "base", **ids).stdout
    fork = scratch.rules("--base", "base", **{**ids, "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "2"})
    assert "the author is unknown" in fork.stdout, fork.stdout


def test_invalid_input_is_reported_with_its_position(scratch: Scratch) -> None:
    scratch.tenant("petitions", "owner:", "ownr:")
    (scratch.root / "waivers.yaml").write_text(WAIVER.format(rule="x", expires="2027-01-01"), encoding="utf-8")
    done = scratch.rules("--base", "base")
    assert (done.returncode, done.stdout) == (1, "")
    assert "projects.d/petitions.yaml:8:1: unknown key ownr; did you mean owner?" in done.stderr
    scratch.git("checkout", "--quiet", "--", "projects.d")
    done = scratch.rules("--base", "base")
    assert done.returncode == 1
    assert done.stderr.startswith("waivers.yaml:2:11: waivers[0].rule: no rule of this name can be waived")
    done = scratch.rules("--base", "nowhere")
    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no revision nowhere" in done.stderr
    assert "Traceback" not in done.stderr

"""`usine-ci commits`: which commits of a repository the secret detection reads."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from usine_ci import cli
from usine_ci.commands.commits import commits

NONE = "0" * 40


class Repository:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.git("init", "--quiet", "--initial-branch", "main", ".")

    def git(self, *arguments: str) -> str:
        identity = ["-c", "user.name=n", "-c", "user.email=n@example.fr"]
        done = subprocess.run(
            ["git", *identity, *arguments], cwd=self.folder, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, name: str) -> str:
        (self.folder / name).write_text(name)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", name)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """Main with two commits, as a runner's clone of a branch `change` has it, with two more."""
    made = Repository(tmp_path)
    monkeypatch.chdir(tmp_path)
    for name in ("one", "two"):
        made.commit(name)
    made.git("update-ref", "refs/remotes/origin/main", "HEAD")
    made.git("checkout", "--quiet", "-b", "change")
    for name in ("three", "four"):
        made.commit(name)
    return made


def test_a_merge_request_has_the_commits_since_its_base(repository: Repository) -> None:
    base, head = repository.git("rev-parse", "main"), repository.git("rev-parse", "HEAD")
    found = commits({"CI_MERGE_REQUEST_DIFF_BASE_SHA": base, "CI_COMMIT_BEFORE_SHA": NONE, "CI_COMMIT_SHA": head})
    assert found == f"{base}..{head}"
    assert len(repository.git("log", "--format=%H", found).splitlines()) == 2


def test_a_push_has_its_own_commits(repository: Repository) -> None:
    before, head = repository.git("rev-parse", "HEAD~1"), repository.git("rev-parse", "HEAD")
    assert commits({"CI_COMMIT_BEFORE_SHA": before, "CI_COMMIT_SHA": head}) == f"{before}..{head}"


def test_a_new_branch_has_what_is_not_in_the_default_branch(repository: Repository) -> None:
    head, main = repository.git("rev-parse", "HEAD"), repository.git("rev-parse", "main")
    variables = {"CI_COMMIT_BEFORE_SHA": NONE, "CI_COMMIT_SHA": head, "CI_DEFAULT_BRANCH": "main"}
    assert commits({**variables, "CI_COMMIT_BRANCH": "change"}) == f"{main}..{head}"
    assert commits({**variables, "CI_COMMIT_BRANCH": "main"}) == head, "the first push of all: the whole history"
    assert commits({}) == head


def test_after_a_forced_push_the_commit_before_is_no_base(repository: Repository) -> None:
    repository.git("checkout", "--quiet", "--orphan", "other")
    gone = repository.commit("five")
    repository.git("checkout", "--quiet", "change")
    head, main = repository.git("rev-parse", "HEAD"), repository.git("rev-parse", "main")
    for before in (gone, "1" * 40):
        variables = {"CI_COMMIT_BEFORE_SHA": before, "CI_COMMIT_SHA": head, "CI_DEFAULT_BRANCH": "main"}
        assert commits({**variables, "CI_COMMIT_BRANCH": "change"}) == f"{main}..{head}"


@pytest.mark.parametrize("value", ["--all", "main; rm -rf /", "$(id)", "--output=x", "-n1"])
def test_a_variable_is_no_option_of_git(value: str, repository: Repository) -> None:
    head = repository.git("rev-parse", "HEAD")
    names = ("CI_MERGE_REQUEST_DIFF_BASE_SHA", "CI_COMMIT_BEFORE_SHA", "CI_DEFAULT_BRANCH", "CI_COMMIT_SHA")
    assert commits(dict.fromkeys(names, value)) == head


def test_a_shallow_clone_is_refused(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["commits"]) == 0
    assert capsys.readouterr().out.strip() == repository.git("rev-parse", "HEAD")
    shallow = tmp_path / "shallow"
    repository.git("clone", "--quiet", "--depth", "1", tmp_path.as_uri(), str(shallow))
    monkeypatch.chdir(shallow)
    assert cli.main(["commits"]) == cli.REFUSED
    assert 'set GIT_DEPTH: "0"' in capsys.readouterr().err

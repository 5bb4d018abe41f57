"""Two child pipelines at the same time, or a job of an old one that is started again: the newest files win."""

from __future__ import annotations

import pytest

from tests.fleet.fake import SLUGS, Fake
from tests.fleet.test_pipeline import command, play, write
from usine import cli
from usine.engine.storage import state_storage
from usine.fleet.records import Records


@pytest.fixture(autouse=True)
def in_checkout(fleet: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job starts in its checkout."""
    monkeypatch.chdir(fleet.root)


def test_a_job_of_an_older_pipeline_sets_nothing_back(fleet: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    """GitLab lets people start an old job again, with the old files."""
    old = write(fleet, run="9")
    assert set(play(old).values()) == {0}
    fleet.tenant("beta", "labels: {a: b}\n")
    assert set(play(write(fleet, run="10")).values()) == {0}
    fleet.tenant("beta")
    fleet.calls()
    capsys.readouterr()
    assert cli.main(command(old["tenant beta"])) == 0
    assert "not run, because a later pipeline has run them: beta" in capsys.readouterr().out
    assert cli.main(command(old["tenant alpha"])) == 0, "nothing has changed since"
    assert fleet.calls() == []
    # The same files in a new commit are a change of their own.
    assert set(play(write(fleet, run="11")).values()) == {0}
    assert fleet.calls() == ["prod.beta up"]


def test_a_stack_that_a_later_pipeline_runs_meanwhile_is_left_to_it(
    fleet: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    assert set(play(write(fleet)).values()) == {0}
    for slug in SLUGS:
        fleet.tenant(slug, "labels: {a: b}\n")
    jobs = write(fleet, run="2")
    # `usine up --run` finds out under the lock of the stack.
    fleet.answers(beta={"later": 3}, delta={"later": 2})
    capsys.readouterr()
    assert set(play(jobs).values()) == {0}, "the later pipeline reports on it"
    assert "not run, because a later pipeline has run them: beta" in capsys.readouterr().out
    records = Records(state_storage({"PULUMI_BACKEND_URL": f"file://{fleet.root}"}), "prod")
    assert {slug: run.run for slug, run in records.runs().items()} == {
        None: "1", "alpha": "2", "beta": "1", "delta": "2", "gamma": "2"
    }  # fmt: skip
    assert list(write(fleet, run="4")) == ["tenant beta", "report"]


def test_a_pipeline_leaves_out_what_a_later_one_has_run(fleet: Fake) -> None:
    assert set(play(write(fleet, run="9")).values()) == {0}
    fleet.tenant("beta", "labels: {a: b}\n")
    assert list(write(fleet, run="8")) == ["nothing"]


def test_a_tenant_that_changed_itself_shares_no_job_with_those_of_a_change_of_the_platform(fleet: Fake) -> None:
    assert set(play(write(fleet)).values()) == {0}
    (fleet.root / "components" / "a.py").write_text("2", encoding="utf-8")
    fleet.tenant("delta", "labels: {a: b}\n")
    jobs = write(fleet, "--jobs", "2", run="2")
    assert list(jobs) == ["foundation", "tenant delta", "tenants 1/1", "report"]
    assert jobs["tenant delta"]["resource_group"] == "prod.delta"

"""`usine fleet pipeline`: the file as GitLab reads it, and its jobs as they run."""

from __future__ import annotations

import datetime
import shlex
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.standins.gitlab import ci_config, ci_yaml
from tests.ci.test_schema import validate
from tests.fleet.fake import SLUGS, Fake, destroyed
from tests.spec.helpers import ROOT
from usine import cli
from usine.commands import fleet_pipeline
from usine.fleet.layout import Layout
from usine.fleet.pipeline import LONGEST, SHARED, ChildPipeline
from usine.fleet.planning import FleetTask
from usine.fleet.records import Inputs
from usine.report import as_json
from usine.report.model import Report

Jobs = Mapping[str, Mapping[str, Any]]


@pytest.fixture(autouse=True)
def in_checkout(fleet: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job starts in its checkout."""
    monkeypatch.chdir(fleet.root)


def write(fleet: Fake, *arguments: str, run: str = "1") -> Jobs:
    """Write a child pipeline, and return its jobs in their order."""
    out = fleet.root / "child.yml"
    out.unlink(missing_ok=True)
    assert fleet.run("pipeline", "--out", str(out), "--run", run, *arguments) == 0
    document = yaml.safe_load(out.read_text(encoding="utf-8"))
    assert document.pop("include") == [{"local": SHARED}]
    assert document.pop("stages") == ["foundation", "first", "tenants", "report"]
    return dict(document)


def command(job: Mapping[str, Any]) -> list[str]:
    (line,) = job["script"]
    first, *words = shlex.split(line)
    assert first == "bin/usine"
    return words


def play(jobs: Jobs) -> dict[str, int]:
    """Run the jobs as GitLab does, a stage after the other; return the exit code of each job that ran."""
    codes: dict[str, int] = {}
    failed = False
    for stage in ("foundation", "first", "tenants", "report"):
        if failed and stage != "report":
            continue
        for name, job in jobs.items():
            if job["stage"] == stage:
                codes[name] = cli.main(command(job))
                allowed = job.get("allow_failure", {"exit_codes": []})["exit_codes"]
                failed = failed or codes[name] not in {0, *allowed}
    return codes


def merged(fleet: Fake) -> Report:
    return as_json.load((fleet.root / "out" / "fleet.json").read_text(encoding="utf-8"))


def test_its_jobs_run_what_needs_a_run_and_the_last_one_reports_on_all(fleet: Fake) -> None:
    jobs = write(fleet)
    assert list(jobs) == ["foundation", *(f"tenant {slug}" for slug in SLUGS), "report"]
    assert set(play(jobs).values()) == {0}
    assert fleet.calls() == ["prod up", *(f"prod.{slug} up" for slug in SLUGS)]
    assert merged(fleet).verdict == "5 stacks run: 5 applied; 0 unchanged."

    # GitLab refuses a pipeline without a job.
    ((name, job),) = write(fleet, run="2").items()
    assert (name, job["script"]) == ("nothing", ["echo 'No stack needs a run.'"])
    assert ci_config._errors(name, job, ["report"]) == []

    fleet.tenant("beta", "labels: {a: b}\n")
    fleet.answers(beta={"exit": 4, "entries": [destroyed("beta")]})
    jobs = write(fleet, run="3")
    assert list(jobs) == ["tenant beta", "report"]
    assert play(jobs) == {"tenant beta": 4, "report": 4}
    report = merged(fleet)
    assert report.verdict == "1 stack run: 1 failed in part; 4 unchanged."
    assert [entry.tenant for entry in report.entries] == ["beta"]
    assert "beta failed in part: No changes." in {notice.text for notice in report.notices}


def test_gitlab_reads_the_file(fleet: Fake) -> None:
    """The published schema accepts the merged configuration, and the stand-in finds no error."""
    jobs = write(fleet)
    shared = ci_yaml.parse((ROOT / SHARED).read_text(encoding="utf-8"))
    child = ci_yaml.parse((fleet.root / "child.yml").read_text(encoding="utf-8"))
    whole = ci_yaml.merge(shared, {**child, "include": []})
    whole = ci_yaml.resolve(whole, whole)
    for name in jobs:
        whole[name] = ci_config._extended(whole, name, ())
    file = fleet.root / ".gitlab-ci.yml"
    file.write_text(yaml.safe_dump(whole), encoding="utf-8")
    done = validate(file)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in jobs:
        resolved = whole[name]
        assert ci_config._errors(name, resolved, child["stages"]) == []
        assert set(resolved["id_tokens"]) == {"VAULT_ID_TOKEN", "KUBE_ID_TOKEN"}
        assert resolved["interruptible"] is False
        assert resolved["artifacts"]["access"] == "maintainer"
        assert resolved["artifacts"]["when"] == "always"
        (rule,) = resolved["rules"]
        assert rule["if"] == whole[".fleet"]["rules"][0]["if"], "the job runs on the protected default branch only"
        # Only a job that changes something gets the rights for it, by a deployment to the protected environment.
        changes = name != "report"
        assert (resolved.get("variables", {}).get("VAULT_ROLE") == "usine-pipeline") is changes
        assert resolved["environment"].get("action", "start") == ("start" if changes else "access")
        assert resolved["environment"]["name"] == "prod"
    # None is the one of the job that waits for this pipeline (prod/fleet): both would wait for ever.
    groups = [job.get("resource_group") for job in jobs.values()]
    assert groups == ["prod", *(f"prod.{slug}" for slug in SLUGS), None]


def test_the_file_has_no_variable_and_no_credential(fleet: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAULT_TOKEN", "planted-marker-token")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "planted-marker-passphrase")
    jobs = write(fleet)
    text = (fleet.root / "child.yml").read_text(encoding="utf-8")
    assert "planted-marker" not in text
    assert str(fleet.root) not in text, "each job has its own checkout"
    assert not any("variables" in job for job in jobs.values())


def test_more_tenants_than_jobs_share_them(fleet: Fake) -> None:
    jobs = write(fleet, "--jobs", "2", "--workers", "3")
    assert list(jobs) == ["foundation", "tenants 1/2", "tenants 2/2", "report"]
    words = command(jobs["tenants 1/2"])
    assert words[-6:] == ["--among", "alpha", "--among", "delta", "--workers", "3"]
    groups = [job.get("resource_group") for job in jobs.values()]
    assert groups == ["prod", "prod/tenants-1", "prod/tenants-2", None]
    assert set(play(jobs).values()) == {0}
    assert merged(fleet).verdict == "5 stacks run: 5 applied; 0 unchanged."


def test_ten_thousand_tenants_fit(fleet: Fake) -> None:
    layout = Layout.read("prod", fleet.settings, fleet.root / "projects.d", fleet.root / "out", ())
    tasks = [FleetTask(f"a-tenant-with-a-long-slug-{number}", ("x",), Inputs("", "", "")) for number in range(10_000)]
    text = ChildPipeline(layout, "Pulumi.prod.yaml", "1", "prod", 20, 4).render(tasks)
    jobs = ci_yaml.parse(text)
    assert len(jobs) == 2 + 20 + 1
    assert len(text) < LONGEST / 2
    # One argument of a command has at most 128 KiB on Linux, and `bash -c` would get the script as one.
    assert max(len(job["script"][0]) for name, job in jobs.items() if name.startswith("tenants ")) < 2**16
    slugs = [word for job in list(jobs.values())[2:-1] for word in command(job) if word.startswith("a-tenant")]
    assert sorted(slugs) == sorted(task.unit for task in tasks if task.unit)


def test_tenants_follow_when_the_foundation_created_objects_again(fleet: Fake) -> None:
    assert set(play(write(fleet)).values()) == {0}
    fleet.calls()
    fleet.tenant("beta", "members: {admin: [bob.durand]}\n")
    jobs = write(fleet, run="2")
    assert list(jobs) == ["foundation", "tenant beta", "tenants 1/1", "report"]
    fleet.state("2")
    assert set(play(jobs).values()) == {0}
    assert sorted(fleet.calls()) == ["prod up", *(f"prod.{slug} up" for slug in SLUGS)]
    # The next time, its objects stay as they are: the others are not run.
    fleet.tenant("beta", "members: {admin: [eve.martin]}\n")
    assert set(play(write(fleet, run="3")).values()) == {0}
    assert fleet.calls() == ["prod up", "prod.beta up"]


def test_a_foundation_of_which_a_part_failed_does_not_stop_the_tenants(fleet: Fake) -> None:
    fleet.answers(foundation={"exit": 4, "entries": []})
    codes = play(write(fleet))
    assert codes == {"foundation": 4, **{f"tenant {slug}": 0 for slug in SLUGS}, "report": 4}
    fleet.answers(foundation={"exit": 1})
    fleet.tenant("beta", "labels: {a: b}\n")
    fleet.calls()
    assert play(write(fleet, run="2")) == {"foundation": 1, "report": 1}
    assert fleet.calls() == ["prod up"]
    assert merged(fleet).verdict == "1 stack run: 1 failed; 3 unchanged; 1 not begun."


def test_the_jobs_of_other_tenants_wait_for_those_that_go_first(fleet: Fake) -> None:
    fleet.answers(gamma={"exit": 1})
    jobs = write(fleet, "--first", "gamma", "--first", "delta")
    assert {name: job["stage"] for name, job in jobs.items() if name.startswith("tenant ")} == {
        "tenant delta": "first",
        "tenant gamma": "first",
        "tenant alpha": "tenants",
        "tenant beta": "tenants",
    }
    assert play(jobs) == {"foundation": 0, "tenant delta": 0, "tenant gamma": 1, "report": 4}
    assert merged(fleet).verdict == "3 stacks run: 2 applied, 1 failed; 0 unchanged; 2 not begun."


def test_a_pipeline_runs_one_wave_and_no_held_tenant(fleet: Fake) -> None:
    until = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=3)
    waves = [{"tenants": ["gamma"]}, {"tenants": ["beta"]}]
    fleet.settle(**{"usine:fleet": {"waves": waves, "scanned": False, "longestHold": "30d"}})
    assert set(play(write(fleet)).values()) == {0}
    fleet.calls()
    fleet.tenant("delta", f"hold: {{until: {until}, reason: The election is near.}}\n")
    (fleet.root / "components" / "a.py").write_text("2", encoding="utf-8")
    # The foundation runs, so that any tenant may need a run afterwards: those that wait have no job nevertheless.
    jobs = write(fleet, run="2")
    assert list(jobs) == ["foundation", "tenant gamma", "report"]
    assert set(play(jobs).values()) == {0}
    assert fleet.calls() == ["prod up", "prod.gamma up"]
    assert merged(fleet).verdict == "2 stacks run: 2 applied; 0 unchanged; 1 not begun; 2 held or in a later wave."
    jobs = write(fleet, run="3")
    assert list(jobs) == ["tenant beta", "report"]
    # A job looks again when it begins: the wave before it has failed since.
    fleet.answers(gamma={"exit": 1})
    assert fleet.run("up", "--all", "--only", "tenants", "--tenant", "gamma", "--run", "3") == 1
    fleet.calls()
    assert cli.main(command(jobs["tenant beta"])) == 0
    assert fleet.calls() == []
    jobs = write(fleet, "--now", run="4")
    assert {name for name in jobs if name.startswith("tenant ")} == {f"tenant {slug}" for slug in SLUGS}
    assert "--now" in command(jobs["tenant delta"])


def test_a_limit_leaves_tenants_to_the_next_pipeline(fleet: Fake) -> None:
    assert list(write(fleet, "--limit", "1")) == ["foundation", "tenant alpha", "report"]


def test_a_job_that_is_started_again_continues(fleet: Fake) -> None:
    jobs = write(fleet, "--jobs", "1")
    fleet.answers(beta={"exit": 1})
    assert cli.main(command(jobs["tenants 1/1"])) == 4
    fleet.answers()
    fleet.calls()
    assert cli.main(command(jobs["tenants 1/1"])) == 0
    assert fleet.calls() == ["prod.beta up"]


# Removals ---------------------------------------------------------------------------------------------------------


def test_the_jobs_of_a_run_add_up_what_they_remove(fleet: Fake) -> None:
    """No stack is above the limit of 50, and no job either."""
    assert set(play(write(fleet)).values()) == {0}
    for slug in SLUGS:
        fleet.tenant(slug, "labels: {a: b}\n")
    fleet.answers(**{slug: {"entries": [destroyed(slug, str(n)) for n in range(30)]} for slug in SLUGS})
    fleet.calls()
    jobs = write(fleet, run="2")
    codes = play(jobs)
    assert codes == {"tenant alpha": 0, "tenant beta": 4, "tenant delta": 1, "tenant gamma": 1, "report": 4}
    assert fleet.calls() == ["prod.alpha up", "prod.beta up"]
    report = merged(fleet)
    stopped = "no other stack was begun: 60 objects of type vault:index/policy:Policy were removed"
    assert stopped in {notice.text for notice in report.notices}
    assert report.verdict == "2 stacks run: 2 applied; 1 unchanged; 2 not begun."
    # Starting a job again does not start the count again, but another run does.
    assert cli.main(command(jobs["tenant delta"])) == 1
    assert cli.main([*command(jobs["tenant delta"]), "--allow-removals", "vault:index/policy:Policy=90"]) == 0
    later = write(fleet, run="3")["tenant gamma"]
    assert cli.main(command(later)) == 1, "nor does another run, within the hour"
    hour = 3601 * 10**9
    for path in (fleet.root / ".usine" / "fleet" / "prod" / "removals" / "2").iterdir():
        slug, moment, _ = path.name.split(".")
        path.rename(path.with_name(f"{slug}.{int(moment) - hour}.json"))
    assert cli.main(command(later)) == 0


def test_removals_of_old_runs_are_removed(fleet: Fake) -> None:
    folder = fleet.root / ".usine" / "fleet" / "prod" / "removals"
    new = time.time_ns()
    for run, name in (("7", f"alpha.{new - 91 * 24 * 3600 * 10**9}.json"), ("8", f"alpha.{new}.json")):
        (folder / run).mkdir(parents=True)
        (folder / run / name).write_text('{"x": 6}', encoding="utf-8")
    assert set(play(write(fleet)).values()) == {0}
    assert [path.parent.name for path in folder.glob("*/*")] == ["8"]


def test_removals_that_cannot_be_read_stop_the_run(fleet: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    folder = fleet.root / ".usine" / "fleet" / "prod" / "removals" / "1"
    folder.mkdir(parents=True)
    (folder / "alpha.1.json").write_text("{", encoding="utf-8")
    assert play(write(fleet))["foundation"] == 1
    assert "the records beside the state: ValidationError" in capsys.readouterr().err
    assert fleet.calls() == []


def test_a_removed_tenant_has_a_job_which_may_be_started_again(fleet: Fake) -> None:
    assert set(play(write(fleet)).values()) == {0}
    (fleet.root / "projects.d" / "beta.yaml").unlink()
    fleet.calls()
    jobs = write(fleet, "--jobs", "1", run="2")
    assert command(jobs["tenant beta"])[-2:] == ["--among", "beta"]
    assert play({"tenant beta": jobs["tenant beta"], "report": jobs["report"]}) == {"tenant beta": 0, "report": 0}
    assert fleet.calls() == ["prod.beta up", "pulumi stack rm --force --yes --non-interactive --stack prod.beta"]
    assert merged(fleet).verdict == "1 stack run: 1 applied; 4 unchanged."
    assert cli.main(command(jobs["tenant beta"])) == 0
    assert fleet.calls() == []


def test_too_many_removed_tenants_are_refused_before_a_file_is_written(
    fleet: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    assert set(play(write(fleet)).values()) == {0}
    document = yaml.safe_load(fleet.settings.read_text(encoding="utf-8"))
    document["config"]["usine:changes"]["massRemoval"] = {"count": 1}
    fleet.settings.write_text(yaml.safe_dump(document), encoding="utf-8")
    for slug in ("beta", "gamma"):
        (fleet.root / "projects.d" / f"{slug}.yaml").unlink()
    out = fleet.root / "refused.yml"
    assert fleet.run("pipeline", "--out", str(out), "--run", "2") == 1
    assert "refused: 2 of 4 tenants would be archived or removed" in capsys.readouterr().out
    assert not out.exists()
    # A job refuses it as well: the files may differ from those that the plan was made of.
    assert fleet.run("up", "--run", "2", "--only", "tenants", "--among", "beta") == 1


# Wrong use --------------------------------------------------------------------------------------------------------


def test_settings_outside_of_the_checkout(fleet: Fake, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other") / "Pulumi.prod.yaml"
    document = yaml.safe_load(fleet.settings.read_text(encoding="utf-8"))
    document["config"]["usine:projects"] = str(fleet.root / "projects.d")
    other.write_text(yaml.safe_dump(document), encoding="utf-8")
    words = ["fleet", "pipeline", "--stack", "prod", "--settings", str(other), "--out", "x.yml", "--run", "1"]
    assert cli.main(words) == 1
    assert not Path("x.yml").exists()


def test_a_file_that_gitlab_would_refuse(
    fleet: Fake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fleet_pipeline, "LONGEST", 100)
    assert fleet.run("pipeline", "--out", "x.yml", "--run", "1") == 1
    assert "--limit N leaves tenants to the next one" in capsys.readouterr().err
    assert not Path("x.yml").exists()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--run", "../1"), "expected up to 40 letters, digits and dashes"),
        (("--run", "1", "--jobs", "401"), "expected at most 400"),
        ((), "the following arguments are required: --run"),
    ],
)
def test_wrong_options(fleet: Fake, words: tuple[str, ...], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        fleet.run("pipeline", "--out", "x.yml", *words)
    assert expected in capsys.readouterr().err


def test_a_tenant_that_does_not_exist_cannot_go_first(fleet: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    assert fleet.run("pipeline", "--out", "x.yml", "--run", "1", "--first", "gama") == 1
    assert "did you mean gamma?" in capsys.readouterr().err

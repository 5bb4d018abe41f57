"""The scanners' jobs: red with the flaws of the examples, green without, and what a waiver changes."""

from __future__ import annotations

import datetime
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import jsonschema  # type: ignore[import-untyped] # has no types
import pytest

from lab import vulnerabilities
from lab.chain.registry import RegistryClient
from lab.parts import tools
from lab.secrets import Secrets
from lab.testing.job_runner import Done
from tests.ci_tool.gitlab_reports import CODE_QUALITY, security_schema
from tests.pipelines.factory import Factory, Pipeline, Sample

pytestmark = pytest.mark.random_order(disabled=True)

EXAMPLES: Final = Path(__file__).resolve().parents[2] / "examples"
JOBS: Final = ("secret-detection", "sast", "dependencies")
KEY: Final = "AKIAZ7QX3MRW5TDK2VHP"
SECRETS: Final = (KEY, "q8Zr2LwX0vTn5KdJ7yHb3PfU9mCs1GeA4oNiRt6W")
REPORTS: Final = {
    "secret-detection": ("secret_detection", "gl-secret-detection-report.json"),
    "sast": ("sast", "gl-sast-report.json"),
    "dependencies": ("dependency_scanning", "gl-dependency-scanning-report.json"),
}
#: One finding of each job: where it is, and its rule.
FOUND: Final = {
    "secret-detection": "storage.ini:3: critical: aws-access-token: ",
    "sast": "parcel/report.py:8: high: python-command-injection: ",
    "dependencies": "requirements.txt:1: critical: CVE-2025-43859: h11 0.14.0: ",
}
#: Every flaw of the branch, as a waiver names it: scanner, rule, path.
WAIVED: Final = (
    ("secret", "aws-access-token", "*.ini"),
    ("secret", "generic-api-key", "*.ini"),
    ("secret", "aws-access-token", "*.cfg"),
    ("secret", "generic-api-key", "*.cfg"),
    ("code", "python-command-injection", "*report.py"),
    ("code", "javascript-command-injection", "src/*"),
    ("code", "java-command-injection", "src/*"),
    ("code", "go-command-injection", "report/*"),
    ("dependency", "CVE-2025-43859", "requirements.txt"),
)
TODAY: Final = datetime.datetime.now(datetime.UTC).date()


class ScannersImage:
    """The image of tools, with the scanners only: their parts are the small ones."""

    def __call__(self, name: str, folder: Path) -> Mapping[str, str]:
        del name
        return tools.environment(folder / "home", ("gitleaks", "semgrep", "trivy"))


@pytest.fixture(scope="module")
def platform(factory: Factory) -> Iterator[Factory]:
    """The platform with a vulnerability database in its registry, and jobs with the real scanners."""
    lab = factory.lab
    known = Secrets.load(lab.home)
    made = lab.harbor.post("/projects", json={"project_name": "platform", "metadata": {"public": "true"}})
    assert made.status_code in {201, 409}, made.text
    lab.harbor.put("/projects/platform", json={"metadata": {"public": "true"}}).raise_for_status()
    host = f"127.0.0.1:{lab.home.ports.harbor}"
    client = RegistryClient(f"http://{host}", "platform/trivy-db", known.harbor_user, known.harbor_password)
    vulnerabilities.publish(client)
    factory.stack.configure(scans={"vulnerabilityDatabase": f"{host}/platform/trivy-db"})
    factory.stack.up().must()
    images, factory.images = factory.images, ScannersImage()  # type: ignore[assignment] # has the same call
    yield factory
    factory.images = images


def example(folder: Path) -> None:
    """Put the example for Python in the place of what is there."""
    for path in folder.iterdir():
        if path.name not in {".git", ".gitlab-ci.yml"}:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.copytree(
        EXAMPLES / "python", folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("flaws", ".gitlab-ci.yml")
    )


def flaws(sample: Sample) -> None:
    """Commit every flaw, and everything with which a repository could hide one from the scanners themselves."""
    folder, git = sample.folder, sample.git
    for preset in ("node", "java", "go", "generic"):
        shutil.copytree(EXAMPLES / preset / "flaws/code", folder, dirs_exist_ok=True)
    for flaw in ("code", "dependency"):
        shutil.copytree(EXAMPLES / "python/flaws" / flaw, folder, dirs_exist_ok=True)
    for path in folder.rglob("[Rr]eport.*"):
        path.write_text("\n".join(f"{line} {mark} nosemgrep" if line.endswith((")", ";", ");")) else line
                                  for mark in ("#" if path.suffix == ".py" else "//",)
                                  for line in path.read_text().splitlines()) + "\n")  # fmt: skip
    (folder / ".semgrepignore").write_text("*\n")
    (folder / ".trivyignore").write_text("CVE-2025-43859\n")
    (folder / "trivy.yaml").write_text("severity: [LOW]\nscan:\n  skip-dirs: ['**']\n")
    (folder / ".gitleaks.toml").write_text('[allowlist]\npaths = [".*"]\n')
    (folder / ".gitleaksignore").write_text("storage.ini:aws-access-token:3\n")
    (folder / ".gitattributes").write_text("*.ini -diff\n*.cfg binary\n")
    secret = (EXAMPLES / "python/flaws/secret/storage.ini").read_text()
    (folder / "storage.ini").write_text(secret.replace(KEY, f"{KEY} # gitleaks:allow"))
    sample.commit("Every flaw")
    # The secret is not in the files any more, and another one came with a merge commit alone.
    (folder / "storage.ini").unlink()
    sample.commit("Take the secret out")
    git.run("checkout", "--quiet", "-b", "side", "HEAD~1")
    git.run("commit", "--quiet", "--allow-empty", "--message", "Aside")
    git.run("checkout", "--quiet", "flaws")
    git.run("merge", "--quiet", "--no-ff", "--no-commit", "side")
    (folder / "merged.cfg").write_bytes(secret.encode() + b"\0")  # git takes it for a binary file


def waivers(last: datetime.date) -> str:
    """Return a file that waives every flaw."""
    entries = [
        {"scanner": scanner, "rule": rule, "path": path, "reason": "A flaw of the tests", "until": last.isoformat()}
        for scanner, rule, path in WAIVED
    ]
    return json.dumps({"waivers": entries}, indent=1)


@pytest.fixture(scope="module")
def runs(platform: Factory) -> dict[str, tuple[Pipeline, dict[str, Done]]]:
    """Run the scanners' jobs in merge requests: without a flaw, with flaws, with waivers, with expired waivers."""
    made: dict[str, tuple[Pipeline, dict[str, Done]]] = {}

    def run(name: str, pipeline: Pipeline) -> None:
        made[name] = pipeline, pipeline.run(only=JOBS)

    sample = platform.sample("python")
    run("plain", sample.merge_request("plain", example).pipeline)
    sample = platform.sample("python")
    sample.git.run("checkout", "--quiet", "-B", "flaws")
    example(sample.folder)
    flaws(sample)
    sample.commit("Merge")
    request = sample.merge_request("flaws")
    run("flawed", request.pipeline)

    def waive(last: datetime.date) -> Any:
        def edit(folder: Path) -> None:
            (folder / ".usine").mkdir(exist_ok=True)
            (folder / ".usine/waivers.yaml").write_text(waivers(last), encoding="utf-8")

        return edit

    run("waived", request.push(waive(TODAY)))
    run("expired", request.push(waive(TODAY - datetime.timedelta(days=1))))
    return made


def test_a_repository_without_a_flaw_is_green(runs: Mapping[str, tuple[Pipeline, dict[str, Done]]]) -> None:
    pipeline, jobs = runs["plain"]
    assert {name: done.exit_code for name, done in jobs.items()} == dict.fromkeys(JOBS, 0), jobs
    assert set(JOBS) <= set(pipeline.jobs())
    for done in jobs.values():
        assert done.must().log.count("0 findings at high or above") == 1


@pytest.mark.parametrize("state", ["flawed", "expired"])
@pytest.mark.parametrize("name", JOBS)
def test_each_flaw_makes_its_job_red(
    name: str, state: str, runs: Mapping[str, tuple[Pipeline, dict[str, Done]]]
) -> None:
    pipeline, jobs = runs[state]
    done = jobs[name].fails(FOUND[name], ", or waive it in .usine/waivers.yaml")
    assert pipeline.status == "failed"
    assert ("the waiver of" in done.log and "expired on" in done.log) == (state == "expired")


def test_what_hides_a_flaw_from_a_scanner_hides_it_from_no_job(
    runs: Mapping[str, tuple[Pipeline, dict[str, Done]]],
) -> None:
    jobs = runs["flawed"][1]
    assert "merged.cfg:3: critical: aws-access-token: " in jobs["secret-detection"].log, "a merge commit's own change"
    for path, rule in (
        ("src/report.js", "javascript"),
        ("src/main/java/fr/example/parcel/Report.java", "java"),
        ("report/report.go", "go"),
        ("report.py", "python"),
    ):
        assert f"{path}:" in jobs["sast"].log
        assert f" high: {rule}-command-injection: " in jobs["sast"].log


def test_waivers_make_the_jobs_green(runs: Mapping[str, tuple[Pipeline, dict[str, Done]]]) -> None:
    for done in runs["waived"][1].values():
        assert f": waived until {TODAY}: A flaw of the tests" in done.must().log
        assert "waives nothing" not in done.log


@pytest.mark.parametrize("state", ["plain", "flawed", "waived", "expired"])
def test_reports_reach_gitlab_in_its_form(state: str, runs: Mapping[str, tuple[Pipeline, dict[str, Done]]]) -> None:
    pipeline, jobs = runs[state]
    for name, (kind, file) in REPORTS.items():
        report = json.loads(jobs[name].read(f"reports/{file}"))
        jsonschema.validate(report, security_schema(kind))
        assert bool(report["vulnerabilities"]) == (state in {"flawed", "expired"})
        jsonschema.validate(json.loads(jobs[name].read("reports/gl-code-quality-report.json")), CODE_QUALITY)
        kinds = {each["file_type"] for each in pipeline.job(name).attributes["artifacts"]}
        assert {kind, "codequality"} <= kinds
    components = json.loads(jobs["dependencies"].read("reports/gl-sbom.cdx.json"))["components"]
    assert "h11" in {component["name"] for component in components}


def test_the_secret_is_in_no_log_and_no_artifact(runs: Mapping[str, tuple[Pipeline, dict[str, Done]]]) -> None:
    for pipeline, jobs in runs.values():
        for name, done in jobs.items():
            trace = pipeline.job(name).trace().decode()
            for secret in SECRETS:
                assert done.holds(secret) == ""
                assert secret not in trace

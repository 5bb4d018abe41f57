"""Each preset on its example: green, and red with a failing test. One is merged too, and red at the gate with a bug."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import gitlab
import pytest
import yaml

from lab.parts.examples import EXAMPLES, GO_COMMANDS, GO_TOOLS, JACOCO
from lab.testing.job_runner import Done
from tests.pipelines.factory import Factory
from tests.pipelines.images import ROOT
from tests.pipelines.presets import JOBS, LEAST, MEASURED, MERGED, TESTS, table

#: The jobs of this page; those of security, image and so on have their own tests.
OURS = {"test", "build", "quality"}


def with_flaws(preset: str, *names: str) -> Callable[[Path], None]:
    """Return an edit that copies flaws over the example."""

    def edit(folder: Path) -> None:
        for name in names:
            shutil.copytree(EXAMPLES / preset / "flaws" / name, folder, dirs_exist_ok=True)

    return edit


def without_flaw(preset: str, name: str) -> Callable[[Path], None]:
    """Return an edit that deletes the files of a flaw."""

    def edit(folder: Path) -> None:
        flaw = EXAMPLES / preset / "flaws" / name
        for path in flaw.rglob("*"):
            if path.is_file():
                (folder / path.relative_to(flaw)).unlink()

    return edit


def files_of(done: Done) -> set[str]:
    """Return the paths of all files that a job gave to GitLab."""
    roots = [done.artifacts / kind for kind in ("paths", "reports")]
    return {path.relative_to(root).as_posix() for root in roots for path in root.rglob("*") if path.is_file()}


def junit(done: Done) -> tuple[int, int]:
    """Return the numbers of test cases and of failed ones in the JUnit reports of a job."""
    cases = failed = 0
    for file in (done.artifacts / "reports").rglob("*.xml"):
        root = ElementTree.parse(file).getroot()  # noqa: S314 - of our own job
        found = list(root.iter("testcase"))
        cases += len(found)
        failed += sum(case.find("failure") is not None or case.find("error") is not None for case in found)
    return cases, failed


def shown_coverage(preset: str, log: str) -> float:
    """Return what GitLab shows for the job `test`: the last match of the preset's expression."""
    text = (ROOT / "catalogue" / "templates" / f"{preset}.yml").read_text(encoding="utf-8")
    found = re.search(r"(?m)^  coverage: '/(.*)/'$", text)
    assert found is not None
    return float(re.findall(found[1], log)[-1])


def measures(factory: Factory, preset: str) -> dict[str, str]:
    """Return SonarQube's measures of a project."""
    keys = "coverage,tests,new_violations,alert_status"
    answer = factory.lab.sonarqube.get(
        "/api/measures/component", params={"component": f"atelier:{preset}", "metricKeys": keys}
    ).raise_for_status()
    found = {}
    for one in answer.json()["component"]["measures"]:
        found[one["metric"]] = one.get("value") or one.get("period", {}).get("value")
    return found


@pytest.mark.parametrize("preset", sorted(JOBS))
def test_a_preset_on_its_example(factory: Factory, preset: str) -> None:
    factory.sonarqube()
    sample = factory.sample(preset, EXAMPLES / preset)
    shutil.rmtree(sample.folder / "flaws")

    # The clean example.
    pipeline = sample.push("The example")
    done = pipeline.run(only=OURS)
    for seen in JOBS[preset]:
        job = done[seen.job].must()
        assert seen.prints in job.log, job.log
        assert set(seen.produces) <= files_of(job)
    assert pipeline.status == "success"
    assert junit(done["test"]) == (TESTS[preset], 0)
    found = measures(factory, preset)
    assert found["alert_status"] == "OK"
    assert ("coverage" in found) == (preset in MEASURED)
    if preset in MEASURED:
        assert float(found["coverage"]) >= LEAST
        assert shown_coverage(preset, done["test"].log) >= LEAST
        assert int(found.get("tests", TESTS[preset])) == TESTS[preset]

    # A merge request with a failing test cannot be merged. It analyses nothing.
    request = sample.merge_request("refund", with_flaws(preset, "test", "bug"))
    red = request.pipeline
    assert "test" in red.jobs()
    assert "quality" not in red.jobs()
    failed = red.run(only={"test"})["test"].fails()
    assert red.status == "failed"
    cases, wrong = junit(failed)
    assert (cases, wrong) == (TESTS[preset] + 1, 1), "GitLab shows which test failed"
    with pytest.raises(gitlab.GitlabMRClosedError):
        request.merge()

    if preset != MERGED:
        return
    # Without it, the pipeline is green, and GitLab merges.
    green = request.push(without_flaw(preset, "test"))
    request.seen_by().merge(auto_merge=True)
    green.run(only={"test"})["test"].must()
    assert green.status == "success"
    assert request.seen_by().state == "merged"

    # No test runs the new code, and it has a bug: the gate fails, and with it the pipeline of main.
    sample.main()
    merged = sample.pipeline(sample.git.run("rev-parse", "HEAD").strip(), ref="main")
    merged.run(only={"test", "quality"})["quality"].fails("QUALITY GATE STATUS: FAILED")
    assert merged.status == "failed"
    assert int(measures(factory, preset)["new_violations"]) > 0


def test_the_table_of_the_documentation() -> None:
    assert table() in (ROOT / "docs" / "pipelines.md").read_text(encoding="utf-8")


def test_the_part_has_the_tools_of_the_presets() -> None:
    for preset, names in (("go", GO_TOOLS), ("java", (JACOCO,))):
        text = (ROOT / "catalogue" / "templates" / f"{preset}.yml").read_text(encoding="utf-8")
        for name in names:
            assert name in text, f"lab/parts/examples.py has {name}, templates/{preset}.yml another one"
    go = (ROOT / "catalogue" / "templates" / "go.yml").read_text(encoding="utf-8").replace('"', "")
    for (_command, *arguments), variables in GO_COMMANDS:
        assert " ".join(arguments) in go
        assert all(f"{name}: {value}" in go for name, value in variables.items())


def test_every_input_is_typed_and_documented() -> None:
    for preset in JOBS:
        text = (ROOT / "catalogue" / "templates" / f"{preset}.yml").read_text(encoding="utf-8")
        header = next(iter(yaml.safe_load_all(text.partition("\n---\n")[0])))
        for name, spec in header["spec"]["inputs"].items():
            assert {"type", "description", "default"} <= set(spec), (preset, name)
            assert str(spec["default"]) in spec.get("options", [str(spec["default"])])


def test_every_example_has_a_flaw_for_each_scanner() -> None:
    for preset in JOBS:
        folder = EXAMPLES / preset
        flaws = {path.name for path in (folder / "flaws").iterdir()}
        assert flaws == {"secret", "code", "dependency", "test", "bug"}
        for flaw in flaws:
            files = [path for path in (folder / "flaws" / flaw).rglob("*") if path.is_file()]
            assert files, f"{preset}: {flaw} is empty"
            replaced = [path for path in files if (folder / path.relative_to(folder / "flaws" / flaw)).exists()]
            # Each flaw shows alone: only a vulnerable version replaces a file, every other flaw is a new one.
            assert bool(replaced) == (flaw == "dependency" and preset != "generic"), (preset, flaw)

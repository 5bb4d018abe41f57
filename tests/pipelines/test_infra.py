"""The preset `infra`: an empty repository, a chart in a merge request, and each flaw of the example."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.pipelines.factory import Factory

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "infra"
#: The jobs of this preset; those of `jobs/security.yml` have tests of their own.
JOBS = ("render", "schema", "policy", "difference")


def chart(folder: Path, flaw: str | None = None) -> None:
    """Copy the example's chart, and one of its flaws over it."""
    shutil.copytree(EXAMPLE / "charts", folder / "charts", dirs_exist_ok=True)
    if flaw is not None:
        shutil.copytree(EXAMPLE / "flaws" / flaw, folder, dirs_exist_ok=True)


def replicas(folder: Path) -> None:
    """Change production."""
    chart(folder)
    (folder / "charts/atelier/values-prod.yaml").write_text("replicas: 5\n", encoding="utf-8")


def edit_with(flaw: str) -> Callable[[Path], None]:
    return lambda folder: chart(folder, flaw)


@pytest.fixture(scope="module")
def tooled(factory: Factory) -> Factory:
    factory.images.use("helm", "kubernetes-validate")
    return factory


def test_a_repository_without_a_chart_is_green(tooled: Factory) -> None:
    sample = tooled.sample("deploy", tenant="voisin")
    request = sample.merge_request("readme", lambda folder: (folder / "NOTES.md").write_text("Later.\n", "utf-8"))
    done = request.pipeline.run(only=JOBS)
    assert set(JOBS) <= set(done)
    for job in done.values():
        job.must()
    assert "charts/voisin has neither a chart nor manifests: nothing to deploy yet" in done["render"].log
    assert "0 environments checked, 0 problems" in done["policy"].log
    assert "nothing to deploy, before and after" in done["difference"].log
    request.merge()


def test_a_chart_is_rendered_checked_and_compared(tooled: Factory) -> None:
    sample = tooled.sample("deploy")
    request = sample.merge_request("chart", chart)
    done = request.pipeline.run(only=JOBS)
    for job in done.values():
        job.must()
    rendered = done["render"].read("paths/rendered/prod.yaml")
    assert "replicas: 3" in rendered
    assert f'/atelier/python@sha256:{"0" * 64}"' in rendered, "it was never promoted"
    assert "2 environments checked, 0 problems" in done["policy"].log
    assert "INFO rendered/prod.yaml passed for resource deployment/parcel against version 1.36" in done["schema"].log
    assert "  added    Deployment parcel" in done["difference"].log
    request.merge()
    again = sample.merge_request("replicas", replicas).pipeline.run(only=JOBS)["difference"].must()
    assert "dev: no object changes\nprod: 1 objects change\n  changed  Deployment parcel" in again.log
    assert "-  replicas: 3\n+  replicas: 5\n" in again.read("paths/difference/prod.diff")


@pytest.mark.parametrize(
    ("flaw", "job", "says"),
    [
        ("schema", "schema", "Additional properties are not allowed ('targetport' was unexpected)"),
        ("volume", "policy", "Deployment parcel: volume node: the type hostPath is not allowed"),
        ("tag", "policy", "atelier/python:latest has no digest; a tag can be moved"),
    ],
)
def test_a_flaw_is_found_by_its_job_only(tooled: Factory, flaw: str, job: str, says: str) -> None:
    sample = tooled.sample("deploy")
    request = sample.merge_request(f"flaw-{flaw}", edit_with(flaw))
    done = request.pipeline.run(only=JOBS)
    done[job].fails(says)
    assert {name for name, one in done.items() if one.exit_code != 0} == {job}

"""The first pipeline of a repository: who may start it, and what its jobs get."""

from __future__ import annotations

from pathlib import Path

import gitlab
import pytest

from lab.secrets import Secrets
from tests.pipelines.factory import Factory

#: Added to the team's own file: a job with the identity of the catalogue's jobs that shows what it may read.
READER = """
reader:
  extends: .vault
  stage: test
  script:
    - bao kv get -mount="$USINE_TENANT" -field=username ci/registry/push
"""


def add_reader(folder: Path) -> None:
    """Add a job to the first CI file."""
    file = folder / ".gitlab-ci.yml"
    file.write_text(file.read_text(encoding="utf-8").partition("\nreader:")[0] + READER, encoding="utf-8")


def test_a_job_of_main_reads_what_pipelines_need_and_one_of_a_merge_request_does_not(factory: Factory) -> None:
    sample = factory.sample("generic")
    first = (sample.folder / ".gitlab-ci.yml").read_text(encoding="utf-8")
    assert "generic" in first
    request = sample.merge_request("reader", add_reader)
    assert request.pipeline.status == "pending"
    refused = request.pipeline.run(only={"reader"})["reader"].fails("permission denied")
    with pytest.raises(gitlab.GitlabMRClosedError):  # its pipeline must succeed
        request.merge()
    sample.main()
    pipeline = sample.push("Read the robot", add_reader)
    read = pipeline.run(only={"reader"})["reader"].must()
    assert "robot$" in read.log
    assert pipeline.status == "success"
    assert pipeline.job("reader").trace().decode() == read.log
    for job in (refused, read):
        for secret in (Secrets.load(factory.lab.home).vault_token, *job.secrets):
            assert job.holds(secret) == ""

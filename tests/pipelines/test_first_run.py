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


#: Jobs of two environments, and one that asks for the role of an environment whatever the catalogue's job does.
ENVIRONMENTS = """
reader:
  extends: .vault-environment
  stage: test
  environment: dev
  script:
    - bao kv get -mount="$USINE_TENANT" -field=of ci-env/dev/app
    - bao kv get -mount="$USINE_TENANT" -field=username ci/registry/push
    - bao kv get -mount="$USINE_TENANT" -field=of ci-env/prod/app
prod:
  extends: .vault-environment
  stage: test
  environment: prod
  script:
    - bao kv get -mount="$USINE_TENANT" -field=of ci-env/prod/app
forced:
  extends: .vault
  stage: test
  environment: prod
  before_script: []
  script:
    - printf %s "$VAULT_ID_TOKEN" |
      bao write -field=token "auth/$VAULT_AUTH_PATH/login" role="$USINE_TENANT.ci.prod" jwt=- > token
"""


def add_reader(folder: Path, jobs: str = READER) -> None:
    """Add jobs to the first CI file."""
    file = folder / ".gitlab-ci.yml"
    file.write_text(file.read_text(encoding="utf-8").partition("\nreader:")[0] + jobs, encoding="utf-8")


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


def test_a_job_of_an_environment_reads_its_folder_and_no_other(factory: Factory) -> None:
    for environment in ("dev", "prod"):
        path = f"ci-env/{environment}/app"
        factory.lab.vault.secrets.kv.v2.create_or_update_secret(
            path, {"of": f"only-{environment}"}, mount_point="atelier"
        )
    sample = factory.sample("generic")
    names = {"reader", "prod", "forced"}
    side = sample.push("Environments", lambda folder: add_reader(folder, ENVIRONMENTS), branch="side")
    done = side.run(only=names)
    for name in ("reader", "prod"):
        done[name].fails("permission denied")
        assert "only-" not in done[name].log
    done["forced"].fails('claim "ref_protected" does not match')
    sample.main()
    done = sample.push("Environments", lambda folder: add_reader(folder, ENVIRONMENTS)).run(only=names)
    done["reader"].fails("permission denied")
    assert "only-dev" in done["reader"].log
    assert "robot$" in done["reader"].log, "it also reads what every protected pipeline reads"
    assert "only-prod" not in done["reader"].log
    assert "only-prod" in done["prod"].must().log
    done["forced"].must()

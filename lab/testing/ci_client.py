"""A runner for tests, which uses the runners' protocol."""

from __future__ import annotations

from typing import Any

import gitlab
import httpx

from lab.testing.gitlab_server import GitLabClient


class Runner:
    """A registered runner."""

    def __init__(self, server: GitLabClient, token: str) -> None:
        """Take the server and the runner's token."""
        self.http = server.http(None)
        self.token = token

    def take(self) -> dict[str, Any] | None:
        """Return the next job, None if there is none."""
        answer = self.http.post("/jobs/request", json={"token": self.token, "info": {"name": "test"}})
        assert answer.status_code in {201, 204}, answer.text
        return dict(answer.json()) if answer.status_code == 201 else None

    def must_take(self) -> dict[str, Any]:
        """Return the next job, which must exist."""
        job = self.take()
        assert job is not None, "no job is pending for this runner"
        return job

    def finish(self, job: dict[str, Any], state: str = "success", **more: Any) -> httpx.Response:
        """Report the outcome of a job."""
        return self.http.put(f"/jobs/{job['id']}", json={"token": job["token"], "state": state, **more})

    def append(self, job: dict[str, Any], log: bytes) -> None:
        """Send the whole log of a job."""
        headers = {"JOB-TOKEN": job["token"], "Content-Range": f"0-{max(len(log) - 1, 0)}"}
        answer = self.http.patch(f"/jobs/{job['id']}/trace", content=log, headers=headers)
        assert answer.status_code == 202, answer.text

    def upload(self, job: dict[str, Any], artifact: dict[str, Any], content: bytes) -> httpx.Response:
        """Upload the content of one of the job's `artifacts`."""
        names = ("artifact_type", "artifact_format", "expire_in")
        given = {name: artifact[name] for name in names if artifact.get(name) is not None}
        name = artifact["name"] + {"zip": ".zip", "gzip": ".gz"}.get(artifact["artifact_format"], "")
        return self.http.post(
            f"/jobs/{job['id']}/artifacts",
            params=given,
            headers={"JOB-TOKEN": job["token"]},
            files={"file": (name, content)},
        )

    def download(self, dependency: dict[str, Any]) -> bytes:
        """Return the archive of one of a job's `dependencies`."""
        answer = self.http.get(f"/jobs/{dependency['id']}/artifacts", headers={"JOB-TOKEN": dependency["token"]})
        assert answer.status_code == 200, f"{dependency['name']}: {answer.status_code} {answer.text}"
        return answer.content


def project_runner(server: GitLabClient, project: Any, **more: Any) -> Runner:
    """Return a runner of one project."""
    content = {"runner_type": "project_type", "project_id": project.id, **more}
    made = server.root.http_post("/user/runners", post_data=content)
    assert isinstance(made, dict)
    return Runner(server, made["token"])


def variables(job: dict[str, Any]) -> dict[str, str]:
    """Return a job's variables by name; of several with one name, the last."""
    return {one["key"]: one["value"] for one in job["variables"]}


def commit(project: Any, files: dict[str, str], branch: str = "main", message: str = "change", **more: Any) -> str:
    """Commit files through the API; return the commit."""
    known = {one["path"] for one in _tree(project)}
    actions = [
        {"action": "update" if path in known else "create", "file_path": path, "content": text}
        for path, text in files.items()
    ]
    made = project.commits.create({"branch": branch, "commit_message": message, "actions": actions, **more})
    return str(made.id)


def branch(project: Any, name: str, start: str = "main") -> str:
    """Create a branch with a commit that runs no pipeline; return the commit."""
    return commit(project, {f"{name}.start": name}, branch=name, start_branch=start, message="[skip ci]")


def jobs(project: Any) -> list[Any]:
    """Return the jobs of all pipelines of a project, newest first."""
    found = [job for one in project.pipelines.list(get_all=True) for job in one.jobs.list(get_all=True)]
    return sorted(found, key=lambda job: -int(job.id))


def _tree(project: Any) -> list[dict[str, str]]:
    try:
        return list(project.repository_tree(recursive=True, get_all=True))
    except gitlab.GitlabGetError as error:
        if error.response_code != httpx.codes.NOT_FOUND:
            raise
        return []  # an empty repository has no tree

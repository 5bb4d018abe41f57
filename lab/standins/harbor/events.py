"""Events of projects: which webhooks hear of them, and their delivery, beside the requests that caused them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import httpx

from lab.standins.harbor import artifacts
from lab.standins.harbor.site import Site, now, timestamp
from lab.standins.store import Document

TYPES: Final = (
    "PUSH_ARTIFACT", "PULL_ARTIFACT", "DELETE_ARTIFACT", "QUOTA_EXCEED", "QUOTA_WARNING", "SCANNING_FAILED",
    "SCANNING_STOPPED", "SCANNING_COMPLETED", "REPLICATION", "TAG_RETENTION",
)  # fmt: skip
_KEPT: Final = 50
_TIMEOUT: Final = 5.0


class Events:
    """Delivers to webhooks, each event once: Harbor tries again, this does not."""

    def __init__(self, site: Site) -> None:
        """Nothing runs before the first event."""
        self._site = site
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="harbor-webhook")
        self._closed = threading.Event()

    def artifact(self, kind: str, operator: str, artifact: Document, tag: str | None) -> None:
        """Tell the project's webhooks what happened to an artifact."""
        name = artifact["repository_name"]
        reference = f":{tag}" if tag else f"@{artifact['digest']}"
        host = self._site.url.partition("://")[2]
        resource = {"digest": artifact["digest"], "tag": tag or artifact["digest"],
                    "resource_url": f"{host}/{name}{reference}"}  # fmt: skip
        project = self._site.project(artifact["project_id"])
        public = project["metadata"].get("public") == "true"
        repository = {"date_created": timestamp(), "name": artifacts.short_name(name), "namespace": project["name"],
                      "repo_full_name": name, "repo_type": "public" if public else "private"}  # fmt: skip
        data = {"resources": [resource], "repository": repository}
        self.send(kind, operator, artifact["project_id"], data)

    def send(self, kind: str, operator: str, project_id: int, data: dict[str, Any]) -> None:
        """Queue an event for the enabled policies of a project that want its kind."""
        if self._closed.is_set() or not self._site.settings.get("notification_enable"):
            return
        payload = {"type": kind, "occur_at": timestamp(), "operator": operator, "event_data": data}
        for policy in self._site.store.find("webhook", project_id=project_id):
            if policy["enabled"] and kind in policy["event_types"]:
                for target in policy["targets"]:
                    self._pool.submit(self._deliver, policy, target, payload)

    def _deliver(self, policy: Document, target: dict[str, Any], payload: dict[str, Any]) -> None:
        header = self._site.vault.unseal(target["auth_header"])
        started = now()
        try:
            with httpx.Client(verify=not target["skip_cert_verify"], timeout=_TIMEOUT, trust_env=False) as http:
                answer = http.post(
                    target["address"], json=payload, headers={"Authorization": header} if header else None
                )
            status = "Success" if answer.is_success else "Error"
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError):
            status = "Error"
        store = self._site.store
        with store.transaction():
            store.add("webhook_execution", {
                "project_id": policy["project_id"], "policy_id": policy["id"], "event_type": payload["type"],
                "status": status, "start_time": started, "end_time": now(), "notify_type": target["type"],
                "payload": payload,
            })  # fmt: skip
            for old in store.find("webhook_execution", policy_id=policy["id"])[:-_KEPT]:
                store.remove("webhook_execution", old["id"])

    def close(self) -> None:
        """Take no more, drop what waits, end what is under way."""
        self._closed.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

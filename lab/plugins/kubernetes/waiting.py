"""Waits until an object is ready or gone."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from lab.plugins.kubernetes.client import Kube, KubeError, NoMatchError, Object
from lab.plugins.kubernetes.objects import annotation, is_kind, meta, name_of
from lab.plugins.server import PluginError

DEFAULT_SECONDS: Final = 600.0
_QUOTA_SECONDS: Final = 60.0
_TOKEN_SECONDS: Final = 5.0
_FIRST_PAUSE: Final = 0.02
_LONGEST_PAUSE: Final = 1.0
_NOT_FOUND: Final = 404
_SKIP: Final = "pulumi.com/skipAwait"
# Kinds for which `skipAwait` also skips waiting for the deletion.
_UNWAITED: Final = {
    ("v1", "Namespace"), ("v1", "Pod"), ("v1", "ReplicationController"), ("apps/v1", "DaemonSet"),
    ("apps/v1", "Deployment"), ("apps/v1", "StatefulSet"), ("batch/v1", "Job"),
}  # fmt: skip


def _until(ready: Callable[[], Object | None], seconds: float, late: str) -> Object:
    deadline = time.monotonic() + seconds
    pause = _FIRST_PAUSE
    while (found := ready()) is None:
        if time.monotonic() >= deadline:
            raise PluginError(late)
        time.sleep(pause)
        pause = min(pause * 1.6, _LONGEST_PAUSE)
    return found


def ready(kube: Kube, inputs: Object, live: Object) -> Object:
    """Return the object when its controller has processed it; raises `PluginError` after a time limit.

    It waits for the counts of quotas and for service account tokens. The official plugin also waits for workloads,
    services and ingresses, but the lab has no controllers for them.
    """
    if annotation(inputs, _SKIP) == "true":
        return live
    if is_kind(live, "v1", "ResourceQuota"):
        return _until(lambda: _read_if(kube, live, _counted), _QUOTA_SECONDS, "timed out waiting for the condition")
    if is_kind(live, "v1", "Secret") and live.get("type") == "kubernetes.io/service-account-token":
        return _until(lambda: _read_if(kube, live, _filled), _TOKEN_SECONDS, "timed out waiting for the condition")
    return live


def _read_if(kube: Kube, live: Object, test: Callable[[Object], bool]) -> Object | None:
    found = kube.get(live, name_of(live))
    return found if test(found) else None


def _counted(quota: Object) -> bool:
    return (quota.get("spec") or {}).get("hard") == (quota.get("status") or {}).get("hard")


def _filled(secret: Object) -> bool:
    return bool(secret.get("data"))


def gone(kube: Kube, inputs: Object, live: Object, name: str, seconds: float) -> None:
    """Wait until an object is deleted, with its finalizers and dependents; raises `PluginError` after a time limit."""
    skips = annotation(inputs, _SKIP) == "true"
    if skips and (str(inputs.get("apiVersion")), str(inputs.get("kind"))) in _UNWAITED:
        return
    uid = meta(live).get("uid")

    def absent() -> Object | None:
        try:
            found = kube.get(live, name)
        except NoMatchError:
            return {}
        except KubeError as error:
            if error.code == _NOT_FOUND:
                return {}
            raise
        return {} if uid and meta(found).get("uid") != uid else None

    _until(absent, seconds, f'timed out waiting for deletion of "{name}"; finalizers or dependents may hold it')

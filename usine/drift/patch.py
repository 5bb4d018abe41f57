"""Take a field out of a Kubernetes object that somebody else set and no update of ours removes.

An update applies our own fields; what another manager owns stays. So the field is taken out by a JSON patch (RFC 6902)
that holds only as long as the field is what was found.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import requests

from model.settings import Settings
from usine.drift.checkpoint import kubernetes_identity
from usine.drift.findings import Finding
from usine.drift.paths import parse
from usine.engine.cli import EngineError
from usine.engine.lookup.base import LookError, Rest
from usine.engine.lookup.kubeconfig import connect
from usine.plan.model import SECRET

_PROVIDER: Final = "kubernetes-"
_MEDIA_TYPE: Final = "application/json-patch+json"


class Patcher:
    """Patches objects of the platform's clusters, with the credentials of the Kubernetes plugin."""

    def __init__(self, settings: Settings, environment: Mapping[str, str]) -> None:
        """Keep where the clusters are; nothing is asked yet."""
        self._settings = settings
        self._environment = environment

    def apply(self, findings: Iterable[Finding], resources: Iterable[Mapping[str, Any]]) -> None:
        """Take the found fields out, one request an object. `resources` are those of the stack's checkpoint.

        Raises EngineError for the first object that cannot be patched, or whose field is another by now.
        """
        ids = {str(resource["urn"]): str(resource.get("id", "")) for resource in resources}
        by_object: dict[str, list[Finding]] = {}
        for finding in findings:
            by_object.setdefault(finding.urn, []).append(finding)
        for urn, fields in by_object.items():
            try:
                self._patch(fields, ids[urn])
            except (LookError, requests.RequestException, LookupError) as error:
                status = error.response.status_code if isinstance(error, requests.HTTPError) else None
                why = f"HTTP {status}" if status else str(error) if isinstance(error, LookError) else "no answer"
                moved = (
                    " (it is no longer what was found: look again)" if status == requests.codes.unprocessable else ""
                )
                raise EngineError(f"{fields[0].name} cannot be patched: {why}{moved}") from None

    def _patch(self, fields: list[Finding], id_: str) -> None:
        first = fields[0]
        cluster = self._settings.clusters[first.provider.removeprefix(_PROVIDER)]
        _, rest = connect(cluster.context, self._environment)
        identity = kubernetes_identity(first.type, id_)
        version, metadata = identity["apiVersion"], identity["metadata"]
        api = f"apis/{version}" if "/" in version else f"api/{version}"
        place = f"{api}/namespaces/{metadata['namespace']}" if "namespace" in metadata else api
        rest.call(
            "PATCH",
            f"{place}/{_plural(rest, api, identity['kind'])}/{metadata['name']}",
            params={"fieldManager": "usine"},
            headers={"Content-Type": _MEDIA_TYPE},
            json=[step for field in fields for step in steps(field)],
        )


def _plural(rest: Rest, api: str, kind: str) -> str:
    served = (rest.call("GET", api) or {}).get("resources") or ()
    for resource in served:
        if resource["kind"] == kind and "/" not in resource["name"]:
            return str(resource["name"])
    raise LookupError(kind)


def steps(finding: Finding) -> Iterable[Mapping[str, object]]:
    """Yield the operations of a JSON patch that take a field out, if it still is what was found."""
    pointer = "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parse(finding.path))
    if not _holds_secret(finding.found):
        yield {"op": "test", "path": pointer, "value": finding.found}
    yield {"op": "remove", "path": pointer}


def _holds_secret(value: object) -> bool:
    if isinstance(value, str):
        return SECRET in value
    if isinstance(value, Mapping):
        return any(_holds_secret(item) for item in value.values())
    return isinstance(value, list) and any(_holds_secret(item) for item in value)

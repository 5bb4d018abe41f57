"""Removes fields of Kubernetes objects that another manager owns and that no update removes.

An update applies the program's own fields only. So a JSON patch (RFC 6902) removes the field, on the condition that its
value is still the one that was found.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final

from model.settings import Settings
from pulumi_facts.paths import parse
from pulumi_facts.values import SECRET
from usine.clients import ClientError, Connections, NoAnswerError
from usine.drift.checkpoint import kubernetes_identity
from usine.drift.findings import DriftFinding
from usine.engine.cli import EngineError

_PROVIDER: Final = "kubernetes-"
_MEDIA_TYPE: Final = "application/json-patch+json"


class Patcher:
    """Patches objects of the platform's clusters, with the credentials of the Kubernetes plugin."""

    def __init__(self, settings: Settings, environment: Mapping[str, str]) -> None:
        """Keep the settings of the clusters; no request is made yet."""
        self._settings = settings
        self._connections = Connections(settings.endpoints, environment)

    def apply(self, findings: Iterable[DriftFinding], resources: Iterable[Mapping[str, Any]]) -> None:
        """Remove the found fields, with one request per object. `resources` are those of the stack's checkpoint.

        Raises EngineError for the first object that cannot be patched or whose field has changed since.
        """
        ids = {str(resource["urn"]): str(resource.get("id", "")) for resource in resources}
        by_object: dict[str, list[DriftFinding]] = {}
        for finding in findings:
            by_object.setdefault(finding.urn, []).append(finding)
        for urn, fields in by_object.items():
            try:
                self._patch(fields, ids[urn])
            except (ClientError, LookupError) as error:
                raise EngineError(f"{fields[0].name} cannot be patched: {_why(error)}") from None

    def _patch(self, fields: list[DriftFinding], id_: str) -> None:
        first = fields[0]
        cluster = self._settings.clusters[first.provider.removeprefix(_PROVIDER)]
        client = self._connections.kubernetes(cluster)
        identity = kubernetes_identity(first.type, id_)
        version, metadata = identity["apiVersion"], identity["metadata"]
        api = f"apis/{version}" if "/" in version else f"api/{version}"
        place = f"{api}/namespaces/{metadata['namespace']}" if "namespace" in metadata else api
        client.request(
            "PATCH",
            f"{place}/{client.plural(api, identity['kind'])}/{metadata['name']}",
            params={"fieldManager": "usine"},
            headers={"Content-Type": _MEDIA_TYPE},
            json=[step for field in fields for step in steps(field)],
        )


def _why(error: ClientError | LookupError) -> str:
    if not isinstance(error, ClientError) or isinstance(error, NoAnswerError):
        return "no answer"
    moved = error.status == HTTPStatus.UNPROCESSABLE_ENTITY
    return error.reason + (" (its value has changed since the scan: scan again)" if moved else "")


def steps(finding: DriftFinding) -> Iterable[Mapping[str, object]]:
    """Yield the operations of a JSON patch that remove a field if its value is still the one that was found."""
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

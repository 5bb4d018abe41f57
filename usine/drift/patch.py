"""Take a field out of a Kubernetes object that somebody else set and no update of ours removes.

An update applies our own fields; what another manager owns stays. So the field is taken out by a JSON patch (RFC 6902)
that holds only as long as the field is what was found.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final

from model.settings import Settings
from usine.clients import ClientError, Connections, NoAnswerError
from usine.drift.checkpoint import kubernetes_identity
from usine.drift.findings import Finding
from usine.drift.paths import parse
from usine.engine.cli import EngineError
from usine.plan.model import SECRET

_PROVIDER: Final = "kubernetes-"
_MEDIA_TYPE: Final = "application/json-patch+json"


class Patcher:
    """Patches objects of the platform's clusters, with the credentials of the Kubernetes plugin."""

    def __init__(self, settings: Settings, environment: Mapping[str, str]) -> None:
        """Keep where the clusters are; nothing is asked yet."""
        self._settings = settings
        self._connections = Connections(settings.endpoints, environment)

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
            except (ClientError, LookupError) as error:
                raise EngineError(f"{fields[0].name} cannot be patched: {_why(error)}") from None

    def _patch(self, fields: list[Finding], id_: str) -> None:
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
    return error.reason + (" (it is no longer what was found: look again)" if moved else "")


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

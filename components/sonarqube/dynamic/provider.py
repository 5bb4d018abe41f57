"""The dynamic provider that the engine calls, in the plugin's process.

Pulumi keeps the pickled code of a dynamic provider in the state. For this provider, that is one line that imports
`components.sonarqube_dynamic.provider` and calls its `provider_of` for a type: no other code, no address and no token.
So a changed implementation changes no resource, and old states work with new code as long as that module and
`provider_of` keep their names. The engine starts the plugin in the folder of the program, where `components` cannot be
imported; so the line first finds the checkout by its `Pulumi.yaml`, as the engine does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pulumi import dynamic
from pulumi.dynamic.dynamic import PROVIDER_KEY

from components.sonarqube.dynamic.access import GlobalPermissionsKind, GroupKind, ProjectPermissionsKind
from components.sonarqube.dynamic.accounts import ProjectAnalysisTokenKind, TechnicalAccountKind
from components.sonarqube.dynamic.api import Client, NotFoundError, SonarError
from components.sonarqube.dynamic.gates import QualityGateKind
from components.sonarqube.dynamic.kind import ObjectKind, Properties
from components.sonarqube.dynamic.process import end_with_engine
from components.sonarqube.dynamic.projects import NewCodePeriodKind, ProjectKind, QualityGateAssociationKind
from components.sonarqube.dynamic.settings import SettingsKind, WebhookKind

KINDS: Final[dict[str, ObjectKind]] = {
    kind.name: kind
    for kind in (
        ProjectKind(),
        GroupKind(),
        ProjectPermissionsKind(),
        GlobalPermissionsKind(),
        TechnicalAccountKind(),
        ProjectAnalysisTokenKind(),
        QualityGateKind(),
        QualityGateAssociationKind(),
        WebhookKind(),
        NewCodePeriodKind(),
        SettingsKind(),
    )
}
#: A type token is this prefix and the name of a kind.
TYPE_PREFIX: Final = "pulumi-python:dynamic/sonarqube:"
#: Configuration keys of the provider: SonarQube's address, and the PEM text of the authority to trust (optional).
URL_KEY: Final = "sonarqube:url"
AUTHORITY_KEY: Final = "sonarqube:ca"

# Every state has this line. If it changes, the old line must still work (tests/sonarqube/test_pickled.py).
_LOADER: Final = (
    "(lambda sys, path: sys.path.insert(0, next((str(d) for d in (path.cwd(), *path.cwd().parents) "
    "if (d / 'Pulumi.yaml').is_file()), str(path.cwd()))))"
    "(__import__('sys'), __import__('pathlib').Path)"
    " or __import__('importlib').import_module('components.sonarqube_dynamic.provider').provider_of({kind!r})"
)


class SonarProvider(dynamic.ResourceProvider):
    """Create, read, compare, update and delete the objects of one kind."""

    serialize_as_secret_always = False

    def __init__(self, kind: ObjectKind) -> None:
        """Create a provider without configuration; `configure` sets it."""
        super().__init__()
        self._kind = kind
        self._client: Client | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what is pickled: a line that imports the provider (see the module's docstring)."""
        return eval, (_LOADER.format(kind=self._kind.name),)

    def configure(self, req: dynamic.ConfigureRequest) -> None:
        """Read the address from the inputs of an explicit provider, or from the stack's configuration."""
        end_with_engine()
        url = req.config.get(URL_KEY)
        # Without an address (for example in `destroy`), objects can still be compared.
        self._client = Client(url, req.config.get(AUTHORITY_KEY)) if url else None

    def check(self, _olds: Properties, news: Properties) -> dynamic.CheckResult:
        """Return the inputs in the form in which they are compared."""
        return dynamic.CheckResult(self._kind.normalised(_plain(_olds), _plain(news)), [])

    def diff(self, _id: str, _olds: Properties, _news: Properties) -> dynamic.DiffResult:
        """Compare the inputs with the state. After a refresh, the state is what the server has."""
        changed = self._kind.changed(_plain(_olds), _plain(_news))
        replaced = [key for key in changed if key in (*self._kind.replaced_by, "token")]
        return dynamic.DiffResult(changes=bool(changed), replaces=replaced)

    def create(self, props: Properties) -> dynamic.CreateResult:
        """Create the object."""
        id_, outs = self._kind.create(self._connected(), _plain(props))
        return dynamic.CreateResult(id_, outs)

    def read(self, id_: str, props: Properties) -> dynamic.ReadResult:
        """Read the object; the id of the result is empty if it does not exist."""
        outs = self._kind.read(self._connected(), id_, _plain(props))
        if outs is None:
            return dynamic.ReadResult("", {})
        return dynamic.ReadResult(id_, outs, inputs_of(self._kind, outs))

    def update(self, _id: str, _olds: Properties, _news: Properties) -> dynamic.UpdateResult:
        """Update the object."""
        return dynamic.UpdateResult(self._kind.update(self._connected(), _id, _plain(_olds), _plain(_news)))

    def delete(self, _id: str, _props: Properties) -> None:
        """Delete the object. It is not an error if it does not exist."""
        try:
            self._kind.delete(self._connected(), _id, _plain(_props))
        except NotFoundError:
            return

    def _connected(self) -> Client:
        if self._client is None:
            raise SonarError(f"SonarQube's address is not configured: set {URL_KEY}")
        return self._client


def provider_of(kind: str) -> SonarProvider:
    """Return the provider of a kind. Every state names this function: see the module's docstring."""
    return SonarProvider(KINDS[kind])


def find(client: Client, type_: str, inputs: Mapping[str, Any]) -> str | None:
    """Return the id of the existing object with these inputs, for the recovery of an interrupted run.

    None if there is none, if the type is unknown, if the object can be created again without harm, or if it is useless
    without its secret (see `remove_orphan`). Raises SonarError if SonarQube does not answer.
    """
    kind = _kind(type_)
    return kind.find(client, inputs) if kind and not kind.shown_once else None


def remove_orphan(client: Client, type_: str, inputs: Mapping[str, Any]) -> bool:
    """Delete the object with these inputs if nobody can use it: an analysis token whose secret was lost.

    Returns whether there was one. Raises SonarError if SonarQube does not answer.
    """
    kind = _kind(type_)
    id_ = kind.find(client, inputs) if kind and kind.shown_once else None
    if kind and id_:
        kind.delete(client, id_, {})
    return id_ is not None


def _kind(type_: str) -> ObjectKind | None:
    return KINDS.get(type_.removeprefix(TYPE_PREFIX)) if type_.startswith(TYPE_PREFIX) else None


def inputs_of(kind: ObjectKind, outs: Properties) -> Properties:
    """Return the inputs of an object with these outputs."""
    names = (*kind.inputs, "name") if kind.name == "Project" else kind.inputs
    return {name: outs[name] for name in names if outs.get(name) is not None}


def _plain(props: Properties) -> Properties:
    return {key: value for key, value in props.items() if key != PROVIDER_KEY}

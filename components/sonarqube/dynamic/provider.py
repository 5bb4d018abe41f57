"""The dynamic provider: what the engine calls, in the plugin's process.

A dynamic provider's code travels inside the state, pickled. What is pickled of this one is a line that imports this
module and asks `provider_of` for a type: no code of ours, no address and no token. A changed implementation is
therefore no change of any resource, and a state of today works with the code of tomorrow, as long as this module and
`provider_of` keep their names. The line finds the checkout by its `Pulumi.yaml`, as the engine does: it starts the
plugin in the program's folder, from where `components` cannot be imported.
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
#: Type tokens are this and a kind's name.
TYPE_PREFIX: Final = "pulumi-python:dynamic/sonarqube:"
#: Configuration of the provider: SonarQube's address, and the PEM text of the authority to trust for it (optional).
URL_KEY: Final = "sonarqube:url"
AUTHORITY_KEY: Final = "sonarqube:ca"

# In every state: never to be changed without need, and then in a way that the old one goes on working.
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
        """Without a configuration until the engine gives one."""
        super().__init__()
        self._kind = kind
        self._client: Client | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Be pickled as one line that needs nothing but this module to be there."""
        return eval, (_LOADER.format(kind=self._kind.name),)

    def configure(self, req: dynamic.ConfigureRequest) -> None:
        """Take the address, from an explicit provider's inputs or the stack's configuration."""
        end_with_engine()
        url = req.config.get(URL_KEY)
        # A program that is gone (`destroy`) or has none yet still lets its objects be compared.
        self._client = Client(url, req.config.get(AUTHORITY_KEY)) if url else None

    def check(self, _olds: Properties, news: Properties) -> dynamic.CheckResult:
        """Bring the inputs into the form in which they are compared."""
        return dynamic.CheckResult(self._kind.normalised(_plain(_olds), _plain(news)), [])

    def diff(self, _id: str, _olds: Properties, _news: Properties) -> dynamic.DiffResult:
        """Compare with the state, which after a refresh is what the server has."""
        changed = self._kind.changed(_plain(_olds), _plain(_news))
        replaced = [key for key in changed if key in (*self._kind.replaced_by, "token")]
        return dynamic.DiffResult(changes=bool(changed), replaces=replaced)

    def create(self, props: Properties) -> dynamic.CreateResult:
        """Make it."""
        id_, outs = self._kind.create(self._connected(), _plain(props))
        return dynamic.CreateResult(id_, outs)

    def read(self, id_: str, props: Properties) -> dynamic.ReadResult:
        """Read it back; the result's id is empty when it is gone."""
        outs = self._kind.read(self._connected(), id_, _plain(props))
        if outs is None:
            return dynamic.ReadResult("", {})
        return dynamic.ReadResult(id_, outs, inputs_of(self._kind, outs))

    def update(self, _id: str, _olds: Properties, _news: Properties) -> dynamic.UpdateResult:
        """Change it."""
        return dynamic.UpdateResult(self._kind.update(self._connected(), _id, _plain(_olds), _plain(_news)))

    def delete(self, _id: str, _props: Properties) -> None:
        """Delete it; that it is gone already is no error."""
        try:
            self._kind.delete(self._connected(), _id, _plain(_props))
        except NotFoundError:
            return

    def _connected(self) -> Client:
        if self._client is None:
            raise SonarError(f"SonarQube's address is not configured: set {URL_KEY}")
        return self._client


def provider_of(kind: str) -> SonarProvider:
    """Return a provider of a kind. Every state names this function: see above."""
    return SonarProvider(KINDS[kind])


def find(client: Client, type_: str, inputs: Mapping[str, Any]) -> str | None:
    """Return the id of the live object that these inputs describe, for what a killed run left behind.

    None: there is none, or the type is not one of these, or its create may be repeated without harm, or it is of no
    use (see `remove_orphan`). Raises SonarError when SonarQube does not answer.
    """
    kind = _kind(type_)
    return kind.find(client, inputs) if kind and not kind.shown_once else None


def remove_orphan(client: Client, type_: str, inputs: Mapping[str, Any]) -> bool:
    """Delete what these inputs made where nobody can use it any more: an analysis token whose secret was lost.

    True if there was one. Raises SonarError when SonarQube does not answer.
    """
    kind = _kind(type_)
    id_ = kind.find(client, inputs) if kind and kind.shown_once else None
    if kind and id_:
        kind.delete(client, id_, {})
    return id_ is not None


def _kind(type_: str) -> ObjectKind | None:
    return KINDS.get(type_.removeprefix(TYPE_PREFIX)) if type_.startswith(TYPE_PREFIX) else None


def inputs_of(kind: ObjectKind, outs: Properties) -> Properties:
    """Return the inputs that an object with these outputs would have been made with."""
    names = (*kind.inputs, "name") if kind.name == "Project" else kind.inputs
    return {name: outs[name] for name in names if outs.get(name) is not None}


def _plain(props: Properties) -> Properties:
    return {key: value for key, value in props.items() if key != PROVIDER_KEY}

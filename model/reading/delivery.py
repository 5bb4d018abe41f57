"""The key `secrets.deliver`: its conversion, and the checks of the environments that it names."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from model.problems import KeyPath
from model.reading.promotions import Note
from model.reading.schema import DeliverySection
from model.settings import Settings
from model.tenant import DeliveredSecret, Environment
from model.texts import did_you_mean, enumerate_words, show


def delivered_secrets(
    stated: Mapping[str, DeliverySection],
    environments: Sequence[Environment],
    names: Collection[str],
    wrong: Collection[KeyPath],
    settings: Settings,
    note: Note,
) -> tuple[DeliveredSecret, ...]:
    """Return the secrets to deliver; report what is wrong with their environments.

    `environments` are those of the file that are legal, `names` all names in the file. `wrong` are the paths of values
    that are left out.
    """
    by_name = {environment.name: environment for environment in environments}
    delivering = [e.name for e in environments if settings.clusters[e.cluster].secret_delivery is not None]
    found = []
    for name, section in stated.items():
        path: KeyPath = ("secrets", "deliver", name)
        listed = section.environments if section.environments is not None else list(by_name)
        if section.environments is None and (*path, "environments") not in wrong:
            _all_deliver(name, environments, delivering, path, note)
        for index, environment in enumerate(section.environments or ()):
            at: KeyPath = (*path, "environments") if wrong else (*path, "environments", index)
            if environment in listed[:index]:
                note(at, f"{show(environment)} is in this list twice")
            elif environment not in names:
                note(at, f"no such environment in this file: {show(environment)}; {did_you_mean(environment, names)}")
            elif environment in by_name and environment not in delivering:
                note(at, _undelivered(environment, by_name[environment].cluster, delivering))
        chosen = tuple(dict.fromkeys(environment for environment in listed if environment in by_name))
        found.append(DeliveredSecret(name, chosen, section.path or name, dict(section.keys or {})))
    return tuple(found)


def _all_deliver(
    name: str, environments: Sequence[Environment], delivering: Sequence[str], path: KeyPath, note: Note
) -> None:
    """Report a secret for all environments, if the cluster of one delivers none."""
    missing = next((e for e in environments if e.name not in delivering), None)
    if missing is not None:
        message = _undelivered(missing.name, missing.cluster, delivering)
        note(path, f"secrets.deliver.{name}: without `environments`, it is for all of them; {message}", at_key=True)


def _undelivered(environment: str, cluster: str, delivering: Sequence[str]) -> str:
    able = f"environments of this file that can have it: {enumerate_words(delivering) or 'none'}"
    return f"cluster {cluster} of environment {environment} delivers no secrets; {able}"

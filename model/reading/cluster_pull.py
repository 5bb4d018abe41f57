"""The key `pull` of a cluster in the settings, and the file with the public keys of its issuer."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from model.clusters import ClusterPull
from model.problems import KeyPath
from model.reading.settings_schema import ClusterPullSection, ClusterSection, SettingsSection
from model.settings import System

_CURVES: Final[Mapping[str, ec.EllipticCurve]] = {
    "P-256": ec.SECP256R1(),
    "P-384": ec.SECP384R1(),
    "P-521": ec.SECP521R1(),
}
#: Members of a JSON Web Key that only a private or a symmetric key has (RFC 7518).
_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_SMALLEST_RSA: Final = 2048
#: What a zone is called if it has a repository: a path in GitLab.
_ZONE: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def to_cluster_pull(stated: ClusterPullSection | None) -> ClusterPull | None:
    """Return how a cluster pulls its objects."""
    return None if stated is None else ClusterPull(stated.issuer, Path(stated.keys), stated.argocd_namespace)


def check_cluster_pull(
    name: str, cluster: ClusterSection, file: SettingsSection, note: Callable[[KeyPath, str], None]
) -> None:
    """Report a cluster that is neither reached nor pulls, and what a cluster that pulls cannot have."""
    path: KeyPath = ("clusters", name)
    where = f"usine:clusters.{name}"
    if cluster.pull is None:
        if cluster.context is None:
            note(path, f"{where}: `context` is missing, or `pull` for a cluster that the platform does not reach")
        return
    at: KeyPath = (*path, "pull")
    if cluster.context is not None:
        note((*path, "context"), f"{where}.context: the cluster pulls its objects: remove `context`, or `pull`")
    if cluster.ca is not None:
        note((*path, "ca"), f"{where}.ca: nothing of the platform connects to a cluster that pulls: remove it")
    if missing := [s for s in (System.GITLAB, System.VAULT) if s.value not in file.systems]:
        note(
            at, f"{where}.pull: needs {' and '.join(missing)} in usine:systems: repository of the zone, log-in of pods"
        )
    if System.HARBOR.value in file.systems and cluster.secret_delivery is None:
        note(
            at,
            f"{where}.pull: needs `secretDelivery`: no manifest contains a Secret, so External Secrets reads the "
            "credential that pulls images",
        )
    if cluster.image_verifier is not None:
        note(
            (*path, "imageVerifier"),
            f"{where}.imageVerifier: not on a cluster that pulls: the verifier's credential is a Secret",
        )
    if System.ARGOCD.value in file.systems and file.argocd is not None and file.argocd.cluster == name:
        note(
            ("argocd", "cluster"),
            f"usine:argocd.cluster: {name} pulls its objects, and the platform's own Argo CD is on a cluster that the "
            "platform reaches",
        )
    if _ZONE.fullmatch(cluster.zone) is None:
        note(
            (*path, "zone"),
            f"{where}.zone: the zone of a cluster that pulls has a repository: expected lower-case letters, digits and "
            "dashes",
        )


def pem_of_keys(text: str) -> str:
    """Return the public keys of a JSON Web Key Set as PEM texts, one after the other, as Vault takes them.

    Raises ValueError for a file without keys, and for one with a private key, without quoting it.
    """
    try:
        listed = json.loads(text)["keys"]
        keys = [dict(key) for key in listed]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ValueError("expected a JSON Web Key Set, as `kubectl get --raw /openid/v1/jwks` prints it") from None
    if not keys:
        raise ValueError("the JSON Web Key Set has no key")
    if any(_PRIVATE & key.keys() for key in keys):
        raise ValueError("a key is private or symmetric (not shown): expected public keys only")
    return "\n".join(_pem(key) for key in keys)


def _pem(key: dict[str, object]) -> str:
    made: rsa.RSAPublicKey | ec.EllipticCurvePublicKey | None = None
    try:
        if key.get("kty") == "RSA":
            made = rsa.RSAPublicNumbers(_number(key["e"]), _number(key["n"])).public_key()
        elif key.get("kty") == "EC":
            curve = _CURVES[str(key["crv"])]
            made = ec.EllipticCurvePublicNumbers(_number(key["x"]), _number(key["y"]), curve).public_key()
    except (ValueError, KeyError, TypeError, binascii.Error):
        made = None
    if made is None or (isinstance(made, rsa.RSAPublicKey) and made.key_size < _SMALLEST_RSA):
        raise ValueError("a key is neither RSA of 2048 bits or more nor on P-256, P-384 or P-521")
    return made.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode().strip()


def _number(value: object) -> int:
    text = str(value)
    return int.from_bytes(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))

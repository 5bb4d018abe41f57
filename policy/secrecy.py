"""No secret in clear: in CI variables, in properties made for secrets, or anywhere by its look."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

from model.texts import find_secrets, has_userinfo
from policy.model import Hidden, Policy, Resource, is_missing, leaves

_VARIABLES = frozenset(
    {
        "gitlab:index/groupVariable:GroupVariable",
        "gitlab:index/instanceVariable:InstanceVariable",
        "gitlab:index/projectVariable:ProjectVariable",
    }
)
_SCHEDULE_VARIABLE = "gitlab:index/pipelineScheduleVariable:PipelineScheduleVariable"
#: Names under which people keep a secret itself. `MIRROR_CREDENTIALS`, a path in Vault, is none of them.
_SECRET_VARIABLE = re.compile(
    r"(^|_)(TOKEN|PASSWORD|PASSWD|PASSPHRASE|SECRET|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY)$", re.I
)
#: Properties whose value is a secret by the schema of their resource.
_SECRET_PROPERTY = re.compile(r"(password|passwd|secret|token|privatekey|jwks?pair)$", re.I)
#: What holds nothing but secrets, and the properties that do.
_SECRET_STORES = {
    "kubernetes:core/v1:Secret": ("data", "stringData"),
    "kubernetes:core/v1:SecretPatch": ("data", "stringData"),
    "pulumi-python:dynamic/sonarqube:Settings": ("secured",),
    "vault:generic/secret:Secret": ("dataJson",),
    "vault:kv/secret:Secret": ("dataJson",),
    "vault:kv/secretV2:SecretV2": ("dataJson",),
}
_BASE64 = re.compile(r"[A-Za-z0-9+/]{16,}={0,2}")


def _ci_variable(resource: Resource) -> Iterator[str]:
    if resource.type not in _VARIABLES and resource.type != _SCHEDULE_VARIABLE:
        return
    value, key = resource.at("value"), resource.at("key")
    named = isinstance(key, str) and _SECRET_VARIABLE.search(key) is not None and not is_missing(value)
    if value is not Hidden.SECRET and not named:
        return  # what looks like a token is found by another policy, wherever it stands
    if resource.type == _SCHEDULE_VARIABLE:
        yield "a secret is the variable of a schedule, which GitLab can neither mask nor protect"
        return
    if value is not Hidden.SECRET:
        yield "the value of a variable that is named like a secret is no Pulumi secret: it stands in the state in clear"
    for option in ("masked", "protected"):
        if resource.at(option) is not True and not isinstance(resource.at(option), Hidden):
            yield f"the variable holds a secret and is not {option}"


def _store(resource: Resource) -> Iterator[str]:
    for key in _SECRET_STORES.get(resource.type, ()):
        for path, value in leaves(resource.at(key), key):
            # What is not known yet says nothing; an empty value is no secret.
            if not isinstance(value, Hidden) and not is_missing(value):
                yield f"{path} is no Pulumi secret: it stands in the state in clear"


def _property(resource: Resource) -> Iterator[str]:
    """Only at the top: deeper down stand names and references, ``secretRef.token`` and the like."""
    if resource.type in _SECRET_STORES or resource.type.startswith("kubernetes:"):
        return
    for key, value in resource.inputs.items():
        if isinstance(value, str) and value and _SECRET_PROPERTY.search(key):
            yield f"{key} is no Pulumi secret: it stands in the state in clear"


def _by_look(resource: Resource) -> Iterator[str]:
    for path, value in leaves(resource.inputs):
        if isinstance(value, str) and value and (look := _looks_like(value)):
            yield f"{path} holds {look} in clear"


def _looks_like(text: str) -> str:
    """Say what a text holds that must not be in clear; nothing when it holds none."""
    if found := find_secrets(text):
        return found[0][1]
    if "://" in text and has_userinfo(text):
        return "an address with a user or a password"
    # One level of base64 hides nothing; Kubernetes writes secrets so.
    if _BASE64.fullmatch(text):
        try:
            decoded = base64.b64decode(text, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return ""
        if found := find_secrets(decoded):
            return f"{found[0][1]} in base64"
    return ""


POLICIES = (
    Policy(
        "ci-variable-secret",
        "A CI variable holds no secret; where one must, it is a Pulumi secret, masked and protected",
        "put it into the tenant's mount in Vault and let the job read it by its own identity",
        check=_ci_variable,
    ),
    Policy(
        "secret-store-encrypted",
        "What is put into a Kubernetes secret or into Vault is a Pulumi secret all along",
        "wrap the value in pulumi.Output.secret",
        check=_store,
    ),
    Policy(
        "secret-property-encrypted",
        "A property that is a password, a secret or a token is a Pulumi secret",
        "wrap the value in pulumi.Output.secret; credentials of providers come by the environment",
        check=_property,
    ),
    Policy(
        "no-secret-in-clear",
        "Nothing that has the shape of a well-known token or key stands anywhere in clear",
        "revoke it, then put a new one into Vault and name its path",
        check=_by_look,
    ),
)

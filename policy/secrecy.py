"""Secrecy: no secret in clear in CI variables, in properties for secrets, or in any other value."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

from model.texts import find_secrets, has_userinfo
from policy.model import Hidden, Policy, Resource, is_missing, leaves
from pulumi_facts import tokens

_VARIABLES = frozenset(
    {
        "gitlab:index/groupVariable:GroupVariable",
        "gitlab:index/instanceVariable:InstanceVariable",
        "gitlab:index/projectVariable:ProjectVariable",
    }
)
_SCHEDULE_VARIABLE = "gitlab:index/pipelineScheduleVariable:PipelineScheduleVariable"
#: Names of variables whose value is a secret. `MIRROR_CREDENTIALS`, a path in Vault, is not one of them.
_SECRET_VARIABLE = re.compile(
    r"(^|_)(TOKEN|PASSWORD|PASSWD|PASSPHRASE|SECRET|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY)$", re.I
)
#: Names of properties whose value is a secret.
_SECRET_PROPERTY = re.compile(r"(password|passwd|secret|token|privatekey|jwks?pair)$", re.I)
#: Types that only hold secrets, and the properties with the secrets.
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
        return  # another policy finds values that look like a token
    if resource.type == _SCHEDULE_VARIABLE:
        yield "a schedule variable has a secret, and GitLab can neither mask nor protect it"
        return
    if value is not Hidden.SECRET:
        yield "a variable with the name of a secret is not a Pulumi secret: the state has it in clear"
    for option in ("masked", "protected"):
        if resource.at(option) is not True and not isinstance(resource.at(option), Hidden):
            yield f"the variable has a secret and is not {option}"


def _store(resource: Resource) -> Iterator[str]:
    for key in _SECRET_STORES.get(resource.type, ()):
        for path, value in leaves(resource.at(key), key):
            # An unknown value cannot be checked, and an empty one is not a secret.
            if not isinstance(value, Hidden) and not is_missing(value):
                yield f"{path} is not a Pulumi secret: the state has it in clear"


def _property(resource: Resource) -> Iterator[str]:
    """Check top-level properties only: deeper ones are names and references, such as ``secretRef.token``."""
    if resource.type in _SECRET_STORES or resource.type.startswith(tokens.KUBERNETES):
        return
    for key, value in resource.inputs.items():
        if isinstance(value, str) and value and _SECRET_PROPERTY.search(key):
            yield f"{key} is not a Pulumi secret: the state has it in clear"


def _by_look(resource: Resource) -> Iterator[str]:
    for path, value in leaves(resource.inputs):
        if isinstance(value, str) and value and (look := _looks_like(value)):
            yield f"{path} contains {look} in clear"


def _looks_like(text: str) -> str:
    """Return a description of the secret in a text; empty if there is none."""
    if found := find_secrets(text):
        return found[0][1]
    if "://" in text and has_userinfo(text):
        return "an address with a user or a password"
    # Kubernetes writes secrets in base64, which hides nothing.
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
        "A CI variable has no secret. If it must have one, it is a Pulumi secret, masked and protected",
        "put it into the tenant's mount in Vault, and let the job read it with its own identity",
        check=_ci_variable,
    ),
    Policy(
        "secret-store-encrypted",
        "A value for a Kubernetes secret or for Vault is a Pulumi secret",
        "wrap the value in pulumi.Output.secret",
        check=_store,
    ),
    Policy(
        "secret-property-encrypted",
        "A property that is a password, a secret or a token is a Pulumi secret",
        "wrap the value in pulumi.Output.secret; providers read their credentials from the environment",
        check=_property,
    ),
    Policy(
        "no-secret-in-clear",
        "No value in clear has the form of a well-known token or key",
        "revoke it, then put a new one into Vault and refer to its path",
        check=_by_look,
    ),
)

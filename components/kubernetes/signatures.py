"""The admission of signed images in a tenant namespace, by the verifier of its cluster.

The API server's own admission policies cannot ask a registry. So the namespace has a policy of Kyverno, which asks
Harbor for the signature and the provenance of each of the tenant's images, and verifies them with the public keys of
the tenant's signing key. The keys are in the policy: the verifier needs no credential for Vault.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from components.base import Component, secret
from components.kubernetes.admission_model import CONTROLLERS, Match, template_changed, template_of
from model.clusters import ImageVerifier
from model.naming import IMAGE_POLICY, names_of
from model.tenant import Environment, Tenant

API = "policies.kyverno.io/v1"
KIND = "NamespacedImageValidatingPolicy"
#: What an image is verified for besides "some statement is signed": cosign takes any attestation as a signature.
_STATEMENTS: Mapping[str, tuple[str, str]] = {
    "signature": ("https://sigstore.dev/cosign/sign/v1", "is not signed with a key of this project"),
    "provenance": ("https://slsa.dev/provenance/v1", "has no SLSA provenance that a pipeline of this project signed"),
}
#: All images of a pod. Kyverno itself extracts those of containers, and does not know image volumes.
_IMAGES = "(images.containers + images.initContainers + images.ephemeralContainers + images.imageVolumes)"
#: The longest that the API server waits for an admission webhook, in seconds.
_LONGEST = 30


@dataclass(frozen=True, slots=True)
class SignedImagesArgs:
    """One namespace of a tenant, on a cluster with a verifier.

    `repositories` is what the names of the tenant's images begin with, `keys` are the PEM texts of all versions of its
    public key. `login` is the docker configuration that pulls the images; None if workloads do not run.
    `deleted_with` is the namespace if it is not protected, None otherwise.
    """

    tenant: Tenant
    environment: Environment
    verifier: ImageVerifier
    provider: kubernetes.Provider
    namespace: core.Namespace
    deleted_with: core.Namespace | None
    labels: Mapping[str, str]
    repositories: str
    keys: pulumi.Output[Sequence[str]]
    login: pulumi.Output[str] | None


class SignedImages(Component):
    """The policy that admits only signed images of the tenant, and the verifier's credential to read them."""

    system = "kubernetes"

    def __init__(self, name: str, args: SignedImagesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register the credential and the policy."""
        super().__init__(name, opts)
        credential = names_of(args.tenant).verifier_secret(args.environment.name)
        needs: list[pulumi.Resource] = []
        if args.login is not None:
            # Kyverno reads secrets of its own namespace only.
            needs.append(
                core.Secret(
                    f"{name}/login",
                    metadata=ObjectMetaArgs(
                        name=credential, namespace=args.verifier.namespace, labels=dict(args.labels)
                    ),
                    type="kubernetes.io/dockerconfigjson",
                    data={".dockerconfigjson": secret(args.login)},
                    opts=self.child(args.provider),
                )
            )
        CustomResource(
            f"{name}/policy",
            api_version=API,
            kind=KIND,
            metadata=ObjectMetaArgs(
                name=IMAGE_POLICY,
                namespace=args.namespace.metadata.apply(lambda metadata: str(metadata.name)),
                labels=dict(args.labels),
            ),
            spec={
                **policy(args.repositories, credential),
                "attestors": args.keys.apply(attestors),
                "validations": args.keys.apply(lambda keys: validations(len(keys))),
            },
            opts=self.child(
                args.provider, parent=args.namespace, deleted_with=args.deleted_with, depends_on=needs or None
            ),
        )
        self.register_outputs({})


def policy(repositories: str, credential: str) -> dict[str, object]:
    """Return what the specification of the policy has besides keys: fields of Kyverno's `ImageValidatingPolicySpec`."""
    return {
        "matchConstraints": {
            "resourceRules": [
                {
                    "apiGroups": [match.group],
                    "apiVersions": ["v1"],
                    "operations": list(match.operations),
                    "resources": list(match.resources),
                }
                for match in (
                    # Kyverno adds no sub-resource by itself.
                    Match("", ("pods", "pods/ephemeralcontainers")),
                    *CONTROLLERS,
                )
            ]
        },
        # An older object stays until its pods change: its controllers update it, to count and to finish.
        "matchConditions": [{"name": "pods-changed", "expression": template_changed(f"({template_of('object')})")}],
        "matchImageReferences": [{"glob": f"{repositories}*"}],
        "images": [
            {
                "name": "imageVolumes",
                "expression": f"({template_of('object')}).?volumes.orValue([]).filter(v, has(v.image))"
                ".map(v, v.image.reference)",
            }
        ],
        "credentials": {"secrets": [credential]},
        "attestations": [{"name": name, "intoto": {"type": type_}} for name, (type_, _) in _STATEMENTS.items()],
        "failurePolicy": "Fail",
        "validationActions": ["Deny"],
        "validationConfigurations": {
            # A tag can move between the verification and the pull.
            "verifyDigest": True,
            # Argo CD would see a changed object, and restore the tag for ever.
            "mutateDigest": False,
            "required": True,
        },
        "webhookConfiguration": {"timeoutSeconds": _LONGEST},
    }


def attestors(keys: Sequence[str]) -> list[dict[str, object]]:
    """Return an attestor per version of the key. There is no transparency log, so nothing on the Internet is asked."""
    return [
        {
            "name": _attestor(number),
            "cosign": {
                "key": {"data": key, "hashAlgorithm": "sha256"},
                "ctlog": {"insecureIgnoreTlog": True, "insecureIgnoreSCT": True},
            },
        }
        for number, key in enumerate(keys)
    ]


def validations(versions: int) -> list[dict[str, object]]:
    """Return the demands: each statement is signed with one of the versions of the key."""
    names = ", ".join(f"attestors.{_attestor(number)}" for number in range(versions))
    return [
        {
            "expression": f"{_IMAGES}.all(i, verifyAttestationSignatures(i, attestations.{name}, [{names}]) > 0)",
            "message": f"an image of this pod {fault}",
        }
        for name, (_, fault) in _STATEMENTS.items()
    ]


def _attestor(number: int) -> str:
    return f"key{number + 1}"

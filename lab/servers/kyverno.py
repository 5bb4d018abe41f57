"""Kyverno's API: the kind of policies that verify images, in the Kubernetes API server."""

from __future__ import annotations

from lab.servers.definitions import Definitions


class Kyverno(Definitions):
    """Kyverno without its controllers: the API server accepts policies, and nothing enforces them."""

    name = "kyverno"
    parts = ("kyverno",)
    namespace = "kyverno"
    names = ("namespacedimagevalidatingpolicies.policies.kyverno.io",)

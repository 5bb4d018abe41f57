"""Argo CD's API: its custom resources and its two configuration maps, in the Kubernetes API server."""

from __future__ import annotations

from lab.servers.definitions import Definitions

NAMESPACE = "argocd"


class ArgoCd(Definitions):
    """Argo CD without its controllers: there are no nodes to deploy to."""

    name = "argocd"
    parts = ("argocd",)
    namespace = NAMESPACE
    names = ("applications.argoproj.io", "applicationsets.argoproj.io", "appprojects.argoproj.io")
    config_maps = ("argocd-cm", "argocd-rbac-cm")

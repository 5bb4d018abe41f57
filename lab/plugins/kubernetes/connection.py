"""The kubernetes plugin's settings and their cluster."""

from __future__ import annotations

from importlib.metadata import version as installed

from lab.plugins.bridge import changed_settings, settings_diff
from lab.plugins.checking import unsupported
from lab.plugins.kubernetes import kubeconfig
from lab.plugins.kubernetes.client import Kube
from lab.plugins.kubernetes.rendering import INCOMPATIBLE
from lab.plugins.kubernetes.settings import KubernetesSettings, refused_names, replacing, settings, unknown_names
from lab.plugins.server import PluginError
from lab.plugins.wire import Properties, Unknown, decode_map, reveal
from lab.stubs import provider_pb2


class KubernetesConnection:
    """The part of the plugin's backend that handles its configuration."""

    name = "kubernetes"
    accept_secrets = True

    def __init__(self) -> None:
        """Start unconfigured; `configure` connects to the cluster."""
        self.version = installed("pulumi_kubernetes")
        self._settings: KubernetesSettings | None = None
        self._kube: Kube | None = None
        self._unreachable = "the kubernetes provider is not configured"
        self._namespace = "default"

    def check_config(self, request: provider_pb2.CheckRequest) -> provider_pb2.CheckResponse:
        """Accept the settings unchanged. Like upstream, errors in them show when they are used."""
        news = reveal(decode_map(request.news))
        failures = [f"`kubernetes:{name}` is not a setting of this provider" for name in unknown_names(news)]
        failures += [unsupported(f"kubernetes:{name}") for name in refused_names(news)]
        if news.get("renderYamlToDirectory"):
            failures += [
                f'"{name}" arg is not compatible with "renderYamlToDirectory" arg'
                for name in INCOMPATIBLE
                if news.get(name)
            ]
        return provider_pb2.CheckResponse(
            inputs=request.news, failures=[provider_pb2.CheckFailure(reason=reason) for reason in failures]
        )

    def diff_config(self, request: provider_pb2.DiffRequest) -> provider_pb2.DiffResponse:
        """Return the changed settings; another cluster replaces the provider and all its resources."""
        olds, news, changed = changed_settings(request)
        return settings_diff(changed, replaces=replacing(olds, news, changed) if changed else [])

    def configure(self, request: provider_pb2.ConfigureRequest) -> provider_pb2.ConfigureResponse:
        """Connect to the cluster. If it is unreachable, only operations that need it fail."""
        values: Properties = {name.rsplit(":", 1)[-1]: value for name, value in request.variables.items()} or reveal(
            decode_map(request.args)
        )
        found = settings({name: value for name, value in values.items() if not isinstance(value, Unknown)})
        self._settings = found
        if found.folder:
            # Upstream connects to the ambient cluster, if there is one: the program gives this plugin none.
            self._kube = None
            self._unreachable = "manifests are rendered"
            return provider_pb2.ConfigureResponse(
                acceptSecrets=True, supportsPreview=True, supports_autonaming_configuration=True
            )
        try:
            access = kubeconfig.access(found.kubeconfig, found.context)
            kube = Kube(access, qps=found.qps, burst=found.burst, timeout=found.timeout)
            kube.version()
        except (PluginError, OSError) as error:
            self._kube = None
            self._unreachable = f"unable to load schema information from the API server: {error}"
        else:
            self._kube = kube
            self._namespace = access.namespace
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, supports_autonaming_configuration=True
        )

    @property
    def _options(self) -> KubernetesSettings:
        if self._settings is None:
            raise PluginError("the kubernetes provider is not configured")
        return self._settings

    def _cluster(self) -> Kube:
        if self._kube is None:
            raise PluginError(f"configured Kubernetes cluster is unreachable: {self._unreachable}")
        return self._kube

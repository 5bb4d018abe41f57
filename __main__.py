"""Serves the component package of `PulumiPlugin.yaml`. The stack's own program is `stacks/platform`."""

from pulumi.provider.experimental import component_provider_host

from stacks.package.tenant import Tenant
from usine import __version__

if __name__ == "__main__":
    component_provider_host([Tenant], "usine", version=__version__)

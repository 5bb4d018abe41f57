"""Entry point of the component package (`PulumiPlugin.yaml`). The program of the stacks is `stacks/platform`."""

from pulumi.provider.experimental import component_provider_host

from stacks.package.tenant import Tenant
from usine import __version__

if __name__ == "__main__":
    component_provider_host([Tenant], "usine", version=__version__)

"""External Secrets' API: the custom resources that deliver secrets, in the Kubernetes API server.

Its controller does not run: the modules of which it is built are not in the public Go proxy.
"""

from __future__ import annotations

from lab.servers.definitions import Definitions


class ExternalSecrets(Definitions):
    """External Secrets without its controller."""

    name = "external-secrets"
    parts = ("external-secrets",)
    namespace = "external-secrets"
    #: The kinds that the program writes, and those of which the tests show that nobody may write them for a tenant.
    names = (
        *(f"{kind}.external-secrets.io" for kind in ("externalsecrets", "pushsecrets", "secretstores")),
        "webhooks.generators.external-secrets.io",
    )

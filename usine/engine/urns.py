"""What an URN of our stack says: the tenant and the system a resource belongs to."""

from __future__ import annotations

from dataclasses import dataclass

_TENANT = "usine:usine:TenantProject"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a resource belongs: `tenant` is None for the foundation, `system` as in the offline plan."""

    urn: str
    type: str
    name: str
    tenant: str | None
    system: str

    @property
    def is_object(self) -> bool:
        """Say whether something exists for it in a system (not a stack, component or provider)."""
        return not self.type.startswith(("usine:", "pulumi:"))


def address_of(urn: str) -> Address:
    """Read an URN ``urn:pulumi:<stack>::<project>::<type>$<type>…::<name>``.

    Children of a tenant's components are named ``<slug>/…``, so the tenant can be read from the name.
    """
    _, _, chain, name = urn.split("::", 3)
    types = chain.split("$")
    ours = [token for token in types if token.startswith("usine:")]
    kind = types[-1]
    system = ours[-1].split(":")[1] if ours else kind.removeprefix("pulumi:providers:").split(":")[0]
    return Address(urn, kind, name, name.split("/", 1)[0] if _TENANT in ours else None, system)

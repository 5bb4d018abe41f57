"""Property tests: two tenants never have the same name in any tool, for every kind of name."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from model.naming import all_names, labels, name_of_person, names_of
from model.quantities import render_cpu, render_size
from model.tenant import Tenant
from tests import factories

SETTINGS = factories.settings()

#: Only a few characters of each kind, so that similar names are generated more often.
LETTERS, WORD = "abyz", "abyz09"


def words(first: str, rest: str, most: int) -> st.SearchStrategy[str]:
    """Names of 2 to `most` characters: one of `first`, then characters of `rest`, without a final dash."""
    names = st.builds(str.__add__, st.sampled_from(first), st.text(rest, min_size=1, max_size=most - 1))
    return names.map(lambda name: name.rstrip("-")).filter(lambda name: len(name) >= 2)


slugs = words(LETTERS, f"{WORD}-", 20).map(lambda name: re.sub("-+", "-", name))
environment_names = words(LETTERS, WORD, 11)
repository_names = words(WORD, f"{WORD}-", 20)


def build(slug: str, environments: list[str], repositories: list[str]) -> Tenant:
    return factories.tenant(
        slug,
        environments=tuple(factories.environment(name) for name in environments),
        repositories=tuple(factories.infra(name) for name in repositories),
    )


tenants = st.builds(
    build,
    slugs,
    st.lists(environment_names, min_size=1, max_size=3, unique=True),
    st.lists(repository_names, min_size=1, max_size=3, unique=True),
)


@given(tenants, tenants)
@example(build("a-b", ["cc"], ["dd"]), build("aa", ["bb"], ["c-dd"]))
@example(build("ab", ["cd"], ["ef-gh"]), build("ab-cd", ["ef"], ["gh"]))
@example(build("ab", ["cd"], ["e--f"]), build("ab-cd", ["ee"], ["ff"]))
@example(build("a-b", ["cc"], ["dd"]), build("ab", ["cc"], ["dd"]))
def test_two_tenants_share_no_name_in_any_tool(one: Tenant, other: Tenant) -> None:
    assume(one.slug != other.slug)
    first, second = all_names(one, SETTINGS), all_names(other, SETTINGS)
    for kind, names in first.items():
        assert not set(names) & set(second[kind]), kind


@given(tenants)
def test_one_tenant_never_claims_a_name_twice(tenant: Tenant) -> None:
    for kind, names in all_names(tenant, SETTINGS).items():
        assert len(names) == len(set(names)), kind


#: The pattern and the maximum length that each tool accepts, from its documentation.
LIMITS: dict[str, tuple[str, int]] = {
    "Keycloak group": (r"(/[a-z0-9-]+)+", 255),
    "Vault mount": (r"[a-z0-9-]+", 255),
    # Velero appends a dash and 14 digits for a backup, whose name is also the value of a label.
    "backup schedule": (r"usine-[a-z0-9-]+", 63 - 15),
    "Vault policy": (r"[a-z0-9.-]+", 255),
    "Vault signing key": (r"\w([\w.-]*\w)?", 128),  # what cosign takes as the name of a key
    "Vault identity group": (r"[a-z0-9.-]+", 255),
    "Kubernetes namespace": (r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", 63),
    "Secret of an image verifier": (r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", 63),
    "Grafana": (r"grafana-[a-z]([-a-z0-9]*[a-z0-9])?", 63),  # also of a Service
    "config map of Grafana": (r"grafana-[a-z][-.a-z0-9]*[a-z0-9]", 253),
    "OIDC client": (r"[a-z0-9-]+", 255),
    "Argo CD project": (r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", 63),
    "Argo CD application": (r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", 63),
    "Argo CD rules": (r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", 63),
    "Argo CD repository secret": (r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", 253),
    "GitLab path": (r"[a-z0-9-]+(/[a-z0-9_-]+)*", 255),
    "Harbor project": (r"[a-z0-9]+([._-][a-z0-9]+)*", 255),
    "SonarQube project": (r"[a-z0-9:._-]+", 400),
    "SonarQube group": (r"[^\s]+", 255),
    "SonarQube account": (r"\w[\w.@-]+", 255),
}


@given(tenants)
@example(build("a" * 20, ["b" * 11], ["c" * 20]))
def test_every_name_is_legal_in_its_tool(tenant: Tenant) -> None:
    for kind, names in all_names(tenant, SETTINGS).items():
        pattern, longest = LIMITS[kind]
        for name in names:
            assert re.fullmatch(pattern, name), (kind, name)
            assert len(name) <= longest, (kind, name)


@given(slugs, environment_names)
def test_a_namespace_name_can_be_split_into_slug_and_environment(slug: str, environment: str) -> None:
    names = names_of(factories.tenant(slug))
    assert names.namespace(environment).rsplit("-", 1) == [slug, environment]


def test_every_kind_of_name_has_a_limit_here() -> None:
    assert set(all_names(factories.tenant(), SETTINGS)) == set(LIMITS)


def test_a_label_of_the_file_cannot_replace_the_platforms_labels() -> None:
    tenant = factories.tenant(labels={"tenant": "someone-else"})
    ours = labels(tenant, tenant.environments[0])
    assert ours["usine.dev/tenant"] == tenant.slug
    assert [key for key, value in ours.items() if value == "someone-else"] == ["label.usine.dev/tenant"]


@pytest.mark.parametrize(
    ("person", "name"),
    [("alice.martin", ("Alice", "Martin")), ("jean.de.la.tour", ("Jean", "De.la.tour")), ("bob", ("Bob", ""))],
)
def test_a_user_name_holds_the_name_of_a_person(person: str, name: tuple[str, str]) -> None:
    assert name_of_person(person) == name


def test_amounts_have_the_form_that_the_api_server_returns() -> None:
    assert [render_cpu(amount) for amount in (0, 500, 4000, 1500)] == ["0", "500m", "4", "1500m"]
    sizes = (0, 1000, 1536 * 1024**2, 8 * 1024**3, 1024**4, 1024**6)
    assert [render_size(amount) for amount in sizes] == ["0", "1000", "1536Mi", "8Gi", "1Ti", "1Ei"]

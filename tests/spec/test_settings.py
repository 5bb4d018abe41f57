"""Settings: from a file, and as the engine passes them."""

from __future__ import annotations

import dataclasses
import datetime
import json
import re
from pathlib import Path

import pytest
import yaml

from model.archetypes import BUILT_IN
from model.clusters import ImageVerifier, Verifier, WorkloadRules
from model.problems import Problem, SpecError
from model.reading.settings_load import load_settings, settings_from_config
from model.reserved import platform_names
from model.settings import (
    CLEAN_CODE,
    ChangeSettings,
    Credential,
    FoundationMode,
    MassRemoval,
    PeopleSource,
    ProxyCache,
    Settings,
    System,
)
from model.tenant import ImageSeverity, Quota, Tenant
from tests.spec.helpers import BODY, HEAD, LAB, ROOT, SETTINGS, one, problems
from tests.spec.wrong_settings import WRONG

TEXT = LAB.read_text(encoding="utf-8")
GIB = 1024**3


def load_text(folder: Path, text: str, name: str = "Pulumi.test.yaml") -> Settings:
    (folder / name).write_text(text, encoding="utf-8")
    return load_settings(folder / name)


def found(folder: Path, text: str) -> list[Problem]:
    try:
        load_text(folder, text)
    except SpecError as error:
        return list(error.problems)
    return []


def config() -> dict[str, str]:
    """Return the settings as the engine passes them: structures as JSON text."""
    values = yaml.safe_load(TEXT)["config"]
    return {
        key.removeprefix("usine:"): value if isinstance(value, str) else json.dumps(value)
        for key, value in values.items()
    }


def test_the_local_platform() -> None:
    assert SETTINGS.stack == "lab"
    assert SETTINGS.systems >= {System.KEYCLOAK, System.VAULT, System.KUBERNETES, System.ARGOCD}
    assert SETTINGS.keycloak.people is PeopleSource.MANAGED
    assert SETTINGS.foundation is FoundationMode.INCLUDE
    assert SETTINGS.tenants is None
    assert SETTINGS.clusters["nonprod-1"].ca == Path(".lab/pki/ca.pem")
    assert SETTINGS.clusters["nonprod-1"].capacity == Quota(400_000, 1600 * GIB, 20 * 1024 * GIB, 8, 5000)
    assert SETTINGS.stages["prod"].production
    assert SETTINGS.stages["prod"].sync_windows[0].time_zone == "Europe/Paris"


def test_the_production_example() -> None:
    settings = load_settings(ROOT / "Pulumi.prod.yaml")
    assert settings.stack == "prod"
    assert len(settings.clusters) > 1


def test_the_default_gate_has_sonarqube_s_recommended_conditions() -> None:
    assert load_settings(ROOT / "Pulumi.lab.yaml").sonarqube.token_name == "usine-lab"
    gates = load_settings(ROOT / "Pulumi.prod.yaml").sonarqube.gates
    assert gates["platform"] == CLEAN_CODE
    assert {(c.metric, c.op, c.error) for c in gates["strict"]} >= {("new_coverage", "LT", "90")}


def test_the_default_is_one_generation_of_credentials_without_an_end(tmp_path: Path) -> None:
    settings = load_text(tmp_path, re.sub(r"  usine:credentials:.*\n", "", TEXT))
    assert settings.credentials == (Credential("1", None),)


def test_a_tenant_may_have_generations_of_its_own(tmp_path: Path) -> None:
    own = "  usine:tenantCredentials:\n    alpha: [{name: a, until: 2027-01-31}, {name: b}]\n"
    settings = load_text(tmp_path, TEXT.replace("  usine:zones:", f"{own}  usine:zones:"))
    mine = (Credential("a", datetime.date(2027, 1, 31)), Credential("b"))
    assert settings.generations_of("alpha") == mine
    assert (
        settings.generations_of("beta") == settings.generations_of(None) == settings.credentials == (Credential("1"),)
    )


def test_who_may_change_what(tmp_path: Path) -> None:
    assert SETTINGS.changes == ChangeSettings(frozenset({"agnes.platel", "yves.outil"}), "@platform", MassRemoval())
    bare = load_text(
        tmp_path, re.sub(r"\n  usine:changes:(.*\n)+", "", TEXT).replace("platform: platform", "platform: p1")
    )
    assert bare.changes == ChangeSettings(frozenset(), "@p1", MassRemoval(50, 0.2, 5))
    some = load_text(tmp_path, TEXT + "    massRemoval: {fraction: 0.05, least: 2}\n")
    assert some.changes.mass_removal == MassRemoval(50, 0.05, 2)


def test_accounts_of_a_directory_need_no_domain(tmp_path: Path) -> None:
    text = TEXT.replace("    emailDomain: example.gouv.fr\n", "")
    text = text.replace("    people: managed\n    toolsImage", "    toolsImage")
    assert load_text(tmp_path, text).gitlab.people is PeopleSource.DIRECTORY


def test_the_engine_passes_the_same() -> None:
    by_engine = settings_from_config(config(), stack="lab")
    from_file = load_settings(LAB)
    for field in Settings.__dataclass_fields__:
        if field != "source":
            assert getattr(by_engine, field) == getattr(from_file, field), field
    assert by_engine.source == "Pulumi.lab.yaml"


def test_a_day_without_quotes_means_the_same_for_the_engine(tmp_path: Path) -> None:
    """The engine passes it as a time (seen with `pulumi config --json` of 3.259)."""
    listed = [{"name": "2026-2", "until": "2027-03-31 00:00:00 +0000 UTC"}]
    by_engine = settings_from_config({**config(), "credentials": json.dumps(listed)}, stack="lab")
    line = "  usine:credentials: [{name: 2026-2, until: 2027-03-31}]\n"
    assert by_engine.credentials == load_text(tmp_path, re.sub(r"  usine:credentials:.*\n", line, TEXT)).credentials
    assert by_engine.credentials == (Credential("2026-2", datetime.date(2027, 3, 31)),)


def test_values_set_on_the_command_line_name_their_key() -> None:
    with pytest.raises(SpecError) as caught:
        settings_from_config({**config(), "foundation": "onyl", "tenants": "teleservice"}, stack="lab")
    first, second = caught.value.problems
    assert (first.file, first.line) == ("Pulumi.lab.yaml", 1)
    assert "usine:foundation: no such mode" in first.message
    assert "did you mean only?" in first.message
    assert 'usine:tenants: expected a list: write ["teleservice"]' in second.message


def test_structures_may_be_json_text_in_the_file_too(tmp_path: Path) -> None:
    settings = load_text(tmp_path, TEXT.replace("config:\n", "config:\n  usine:tenants: '[\"teleservice\"]'\n"))
    assert settings.tenants == ("teleservice",)


def test_keys_of_other_name_spaces_are_ignored(tmp_path: Path) -> None:
    extra = (
        "secretsprovider: hashivault://usine\nencryptedkey: dmF1bHQ6djE6YWJj\nenvironment:\n  - base\n"
        "config:\n  vault:address: https://vault.example.fr\n  other:empty:\n  vault:token: {secure: v1:abc}\n"
    )
    assert load_text(tmp_path, TEXT.replace("config:\n", extra)).systems == SETTINGS.systems


@pytest.mark.parametrize(("old", "new", "message"), WRONG, ids=[new.strip()[:50] for _, new, _ in WRONG])
def test_a_problem_is_reported_at_its_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in TEXT
    problems_found = found(tmp_path, TEXT.replace(old, new, 1))
    matching = [p for p in problems_found if message in p.message]
    assert matching, [str(p) for p in problems_found]
    assert "hunter2" not in "".join(map(str, problems_found))
    assert all(p.file == str(tmp_path / "Pulumi.test.yaml") for p in problems_found)
    if old != "config:\n" and not any(word in message for word in ("missing", "archetype", "zone: ")):
        lines = TEXT.replace(old, new, 1).splitlines()
        assert any(part in lines[matching[0].line - 1] for part in new.strip().splitlines()), str(matching[0])


def test_a_probe_needs_gitlab(tmp_path: Path) -> None:
    more = "config:\n  usine:fleet: {waves: [{tenants: [a], probe: chaine}]}\n"
    text = TEXT.replace("config:\n", more).replace(", gitlab, ", ", ")
    messages = [p.message for p in found(tmp_path, text)]
    assert "usine:fleet.waves[0].probe: a probe is a pipeline: it needs gitlab in usine:systems" in messages


@pytest.mark.parametrize("text", ["", "config: []\n", "- x\n", "config: {usine:systems: [}\n", "\0"])
def test_files_that_are_no_settings(tmp_path: Path, text: str) -> None:
    assert found(tmp_path, text)


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    (problem,) = found(tmp_path, TEXT + "#" * 300_000)
    assert "at most 262,144 are allowed" in problem.message


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="settings: cannot be read: No such file"):
        load_settings(tmp_path / "Pulumi.none.yaml")
    with pytest.raises(SpecError, match="cannot be read: Is a directory"):
        load_settings(tmp_path)
    with pytest.raises(SpecError, match="not a file name"):
        load_settings(Path("Pulumi.\0.yaml"))


def given(archetype: str, settings: Settings = SETTINGS) -> Tenant:
    """Return a tenant that has everything from its archetype: an environment outside production, and one in it."""
    return one(HEAD + f"archetype: {archetype}\n" + BODY, settings)


def with_archetypes(folder: Path, archetypes: str) -> Settings:
    return load_text(folder, TEXT + "\n  usine:archetypes:\n" + archetypes)


def test_archetypes_state_only_how_they_differ(tmp_path: Path) -> None:
    settings = with_archetypes(
        tmp_path,
        """\
    data:
      extends: big
      registry: {quota: 1Ti, immutable: [release-*]}
      envelope: {nonprod: {gpu: 2}}
      environment: {nonprod: {quota: {gpu: 1}}, prod: {autosync: true}}
    big:
      extends: large
      registry: {keep: {tags: 99}}
      observability: {logRetention: 365d}
      packages: [npm]
    small:
      repository: {defaultBranch: trunk, protectedBranches: [trunk, stable]}
    plain: {}
""",
    )
    data, large = given("data", settings), given("large")
    assert data.envelope.prod == large.envelope.prod
    assert data.envelope.nonprod == dataclasses.replace(large.envelope.nonprod, gpu=2)
    assert (data.registry.quota, data.registry.keep.tags, data.registry.keep.days) == (1024 * GIB, 99, 180)
    assert data.registry.immutable == ("release-*",)
    assert data.registry.block_severity is ImageSeverity.HIGH
    assert (data.observability.log_retention_days, data.packages) == (365, ("npm",))
    nonprod, prod = data.environments
    assert nonprod.quota.gpu == 1
    assert nonprod.quota.cpu == large.environments[0].quota.cpu
    assert (prod.autosync, nonprod.autosync) == (True, True)
    assert given("small", settings).registry == given("small").registry
    assert given("plain", settings).registry == given("standard").registry
    assert (settings.archetypes["data"].envelope, settings.archetypes["data"].registry_quota) == (
        data.envelope,
        data.registry.quota,
    )

    tenant = one(HEAD + "archetype: small\n" + BODY, settings)
    assert tenant.repositories[0].default_branch == "trunk"
    assert tenant.repositories[0].protected_branches == ("trunk", "stable")
    assert one(HEAD + "archetype: data\nregistry: {keep: {days: 7}}\n" + BODY, settings).registry.keep.tags == 99
    (problem,) = problems(HEAD + "archetype: dta\n" + BODY, settings=settings)
    assert "did you mean data?" in problem.message


@pytest.mark.parametrize(
    ("archetypes", "message"),
    [
        ("    aa: {extends: bb}\n    bb: {extends: aa}\n", "in a circle: aa -> bb -> aa"),
        ("    small: {extends: small}\n", "in a circle: small -> small"),
        ("    aa: {extends: lage}\n", "did you mean large?"),
        ("    aa: {registri: {}}\n", "did you mean registry?"),
        ("    aa: {quality: {gate: none}}\n", "archetype aa: no such gate"),
        ("    aa: {packages: [cargo]}\n", "archetype aa: no such package"),
        ("    aa: {environment: {prod: {quota: {gpu: 1}}}}\n", "gpu of environment.prod.quota is more than"),
        ("    aa: {registry: {quota: 5}}\n", "did you mean 5Gi?"),
        # A child repeats the value of its parent: only the parent can be corrected.
        ("    aa: {registry: {quota: 5}}\n    bb: {extends: aa}\n", "did you mean 5Gi?"),
        ("    aa: {registry: 5}\n    bb: {extends: aa, registry: {keep: {days: 7}}}\n", "expected a mapping"),
    ],
)
def test_wrong_archetypes(tmp_path: Path, archetypes: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        with_archetypes(tmp_path, archetypes)
    (problem,) = caught.value.problems
    assert message in problem.message
    assert problem.line > TEXT.count("\n")


def test_built_in_environments_fit_their_envelope() -> None:
    for archetype in BUILT_IN:
        tenant = given(archetype)
        nonprod, prod = tenant.environments
        for resource in ("cpu", "memory", "storage"):
            for quota, envelope in ((nonprod.quota, tenant.envelope.nonprod), (prod.quota, tenant.envelope.prod)):
                assert 2 * getattr(quota, resource) <= getattr(envelope, resource), (archetype, resource)


def test_a_verifier_needs_signed_images(tmp_path: Path) -> None:
    (problem,) = found(tmp_path, TEXT.replace(", gitlab, harbor, sonarqube,", ", gitlab, sonarqube,"))
    assert problem.message == "usine:clusters.prod-1.imageVerifier: no image is signed: harbor not in usine:systems"
    assert TEXT.splitlines()[problem.line - 1].strip() == "imageVerifier: {kind: kyverno}"
    systems = "keycloak, vault, kubernetes, argocd, gitlab, harbor, sonarqube, observability"
    assert found(tmp_path, TEXT.replace(systems, "keycloak, vault, sonarqube")) == [], (
        "without Kubernetes, the clusters do not count"
    )


def with_rules(rules: str) -> str:
    return TEXT.replace("      zone: lab\n", f"      zone: lab\n      workloads: {rules}\n", 1)


def test_what_tenants_may_use_on_a_cluster(tmp_path: Path) -> None:
    rules = (
        "{images: [127.0.0.1:18085/platform/, quay.io/jetstack/solver], volumes: [emptyDir, csi], "
        'storageClasses: [fast], priorityClasses: [low], ingressAnnotations: ["a.example/*"]}'
    )
    text = with_rules(f"{rules}\n      reservedNamespaces: [outils-interne]")
    cluster = load_text(tmp_path, text).clusters["nonprod-1"]
    assert cluster.workloads == WorkloadRules(
        images=("127.0.0.1:18085/platform/", "quay.io/jetstack/solver"),
        volumes=("emptyDir", "csi"),
        storage_classes=("fast",),
        priority_classes=("low",),
        ingress_annotations=("a.example/*",),
    )
    assert cluster.reserved_namespaces == ("outils-interne",)
    assert cluster.image_verifier is None
    assert SETTINGS.clusters["prod-1"].image_verifier == ImageVerifier(Verifier.KYVERNO, "kyverno")
    other = load_text(tmp_path, TEXT.replace("{kind: kyverno}", "{kind: kyverno, namespace: outils-images}"))
    assert other.clusters["prod-1"].image_verifier == ImageVerifier(Verifier.KYVERNO, "outils-images")
    assert "outils-images" in platform_names(other)["Kubernetes namespace"]
    assert SETTINGS.clusters["prod-1"].workloads.volumes == WorkloadRules().volumes
    assert "hostPath" not in WorkloadRules().volumes


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ("{images: [alpine]}", "expected a repository with its registry's host"),
        ("{images: [library/alpine]}", "expected a repository with its registry's host"),
        ("{images: [docker.io/]}", ""),
        ("{images: ['docker.io/a:1']}", "without tag"),
        ("{images: ['docker.io/a/../b']}", "expected a repository"),
        ("{volumes: [hostPath]}", 'no such volume type: "hostPath"'),
        ("{priorityClasses: [UP]}", "the name of a Kubernetes class has"),
        ("{ingressAnnotations: ['*']}", "expected an annotation with its domain"),
        ("{storageClasses: [a, a]}", "twice"),
    ],
)
def test_what_a_cluster_cannot_allow(tmp_path: Path, rules: str, said: str) -> None:
    problems_found = found(tmp_path, with_rules(rules))
    assert [said in p.message for p in problems_found] == ([True] if said else []), problems_found


def test_clusters_allow_images_of_a_declared_and_public_proxy_only(tmp_path: Path) -> None:
    images = '      workloads: {images: ["127.0.0.1:18085/proxy.doker/"]}\n'
    text = TEXT.replace("      zone: lab\n", f"      zone: lab\n{images}", 1)
    private = text.replace("{robotDays: 180}", "{proxies: {docker: {registry: docker.io}}}")
    (problem,) = found(tmp_path, private)
    assert "did you mean 127.0.0.1:18085/proxy.docker?" in problem.message
    (problem,) = found(tmp_path, private.replace("doker", "docker"))
    assert "set usine:harbor.proxies.docker.public to true" in problem.message
    public = private.replace("doker", "docker").replace("docker.io}", "docker.io, public: true, quota: 5Gi}")
    assert load_text(tmp_path, public).harbor.proxies == (
        ProxyCache("docker", "docker.io", "https://hub.docker.com", public=True, quota=5 * GIB),
    )


@pytest.mark.parametrize(
    ("word", "message"),
    [
        (
            "nexus",
            "nexus is no longer a choice, because the platform sets up no Nexus; allowed: maven, npm, pypi, generic",
        ),
        ("mavn", "did you mean maven?"),
        ("oci", "no such package"),
    ],
)
def test_only_formats_of_gitlabs_registry_are_declared(tmp_path: Path, word: str, message: str) -> None:
    line = "  usine:packages: [maven, npm, pypi, generic]"
    (problem,) = found(tmp_path, TEXT.replace(line, f"  usine:packages: [maven, npm, pypi, generic, {word}]"))
    assert message in problem.message
    number = next(number for number, text in enumerate(TEXT.splitlines(), 1) if text.startswith(line))
    assert (problem.line, problem.column) == (number, len(line) + 2)

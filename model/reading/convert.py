"""Converts a validated file to a `Tenant`, and checks everything that involves several keys."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePath

from model.problems import Finding, KeyPath
from model.quantities import render_cpu, render_size
from model.reading.backup import to_backup
from model.reading.delivery import delivered_secrets
from model.reading.deployments import check_infra_keys, to_deployment
from model.reading.hold import to_hold, to_pin
from model.reading.merge import holds
from model.reading.observability import to_objectives, to_observability
from model.reading.promotions import check_promotions
from model.reading.schema import (
    AmountsSection,
    DastSection,
    EnvelopeSection,
    EnvironmentSection,
    QualitySection,
    RegistrySection,
    RepositorySection,
    TenantSection,
)
from model.repository import Deployment, Deploys, Mirror, Promotion, Repository, RepositoryKind
from model.reserved import is_reserved_repository, who_reserves_slug
from model.revisions import check_charts, check_revisions
from model.settings import Settings
from model.tenant import (
    Dast,
    DastScan,
    Egress,
    Envelope,
    Environment,
    Freeze,
    ImageSeverity,
    OwnRole,
    PackageFormat,
    PackageRegistry,
    Quality,
    Quota,
    Registry,
    Retention,
    Right,
    Role,
    State,
    Tenant,
)
from model.texts import did_you_mean, enumerate_words, show

#: Names that an environment cannot have, with the reason.
_NOT_ENVIRONMENTS = {
    **{
        role.value: "the name of a role, and the groups of roles and environments have the same parent" for role in Role
    },
    "default": "the key of `revision` for all other environments",
    # Namespaces of operators are called <name>-system or <name>-operator: cert-manager's neighbours on any cluster.
    "system": "the usual ending of the namespaces of cluster services",
    "operator": "the usual ending of the namespaces of cluster services",
}


def _revision_at(file: TenantSection, repository: str, environment: str) -> KeyPath:
    """Return the path of the revision of an environment; of the repository, where the file states none."""
    path: KeyPath = ("repositories", repository)
    stated = file.repositories[repository].revision or {}
    key = next((key for key in (environment, "default") if key in stated), None)
    return path if key is None else (*path, "revision", key)


@dataclass(frozen=True, slots=True)
class Outline:
    """What a file states, beside its validated section.

    `keys` are the keys of the file without those of its archetype. `environments` and `repositories` are all names in
    the file, also of those that are wrong otherwise. `wrong` are the paths of values that are left out because they are
    wrong: a problem that may only follow from one of them is not reported.
    """

    keys: Mapping[str, object]
    environments: Collection[str]
    repositories: Collection[str]
    wrong: frozenset[KeyPath] = frozenset()

    def states(self, *path: str) -> bool:
        """Return whether the file itself has a value at this path."""
        return holds(self.keys, path)


def to_quota(amounts: AmountsSection, pods: int = 0) -> Quota:
    """Return the amounts of a section."""
    return Quota(amounts.cpu, amounts.memory, amounts.storage, amounts.gpu, pods)


def to_envelope(section: EnvelopeSection) -> Envelope:
    """Return the envelope of a section."""
    return Envelope(nonprod=to_quota(section.nonprod), prod=to_quota(section.prod))


def _registry(section: RegistrySection) -> Registry:
    keep = Retention(section.keep.tags, section.keep.days)
    return Registry(section.quota, keep, tuple(section.immutable), ImageSeverity(section.block_severity))


class Converter:
    """Converts files by one platform's settings. Findings go to `findings`."""

    def __init__(self, settings: Settings) -> None:
        """Keep the settings."""
        self._settings = settings
        self.findings: list[Finding] = []
        self._source = ""
        self._wrong: frozenset[KeyPath] = frozenset()

    def convert(self, file: TenantSection, source: str, names: Outline) -> Tenant:
        """Return the tenant of a file, or of its legal values."""
        self._source, self._wrong = source, names.wrong
        settings = self._settings
        self._check_slug(file, source)
        if not names.wrong and not file.environments and not file.repositories:
            self._note((), "the tenant has neither an environment nor a repository: it needs at least one of them")
        environments = tuple(
            environment
            for name, stated in file.environments.items()
            if (environment := self._environment(name, stated, names)) is not None
        )
        repositories = tuple(self._repository(name, stated, names) for name, stated in file.repositories.items())
        self._limit(("environments",), "environments", len(names.environments), settings.limits.environments)
        self._limit(("repositories",), "repositories", len(names.repositories), settings.limits.repositories)
        tenant = Tenant(
            slug=file.slug,
            name=file.name,
            description=file.description,
            archetype=file.archetype,
            state=State(file.state),
            owner=file.owner,
            contact=file.contact,
            review_after=file.review_after,
            labels=dict(file.labels),
            members=self._members(file),
            envelope=to_envelope(file.envelope),
            environments=environments,
            repositories=repositories,
            registry=_registry(file.registry),
            quality=self._quality(file.quality, file, names),
            packages=tuple(map(PackageFormat, file.packages)),
            package_registry=PackageRegistry(file.package_registry.keep_versions, tuple(file.package_registry.readers)),
            roles=self._roles(file, names),
            delivered=delivered_secrets(
                file.secrets.deliver, environments, names.environments, names.wrong, settings, self._note
            ),
            observability=to_observability(file, settings, names.wrong, self._note),
            hold=to_hold(file.hold, settings, self._note),
            pin=to_pin(file.pin, settings, self._note),
            source=source,
        )
        if names.states("packages"):
            self._once(("packages",), file.packages)
        self._once(("packageRegistry", "readers"), file.package_registry.readers)
        if tenant.package_registry != PackageRegistry() and not file.packages and ("packages",) not in names.wrong:
            self._note(
                ("packageRegistry",),
                "packageRegistry: this tenant has no package registry, because packages lists no format",
                at_key=True,
            )
        if names.states("registry", "immutable"):
            self._once(("registry", "immutable"), file.registry.immutable)
        check_promotions(tenant, names.environments, names.repositories, names.wrong, self._note)
        if not names.wrong:
            self._envelope(tenant, names)
            check_revisions(
                tenant, lambda repository, environment: _revision_at(file, repository, environment), self._note
            )
            check_charts(tenant, self._note)
        return tenant

    def _note(self, path: KeyPath, message: str, *, at_key: bool = False) -> None:
        self.findings.append(Finding(self._source, path, message, at_key))

    def _once(self, path: KeyPath, items: Iterable[object], render: Callable[[object], str] = show) -> None:
        """Report every item that is twice in a list."""
        seen = set()
        for index, item in enumerate(items):
            if item in seen:
                self._note(self._item(path, index), f"{render(item)} is in this list twice")
            seen.add(item)

    def _item(self, path: KeyPath, index: int) -> KeyPath:
        """Return the path of a list item; that of the list, if items before it may have been removed."""
        return path if self._wrong else (*path, index)

    def _limit(self, path: KeyPath, what: str, count: int, most: int) -> None:
        if count > most:
            self._note(path, f"{count} {what}; the platform allows {most}", at_key=True)

    def _check_slug(self, file: TenantSection, source: str) -> None:
        stem = PurePath(source).name.removesuffix(".yaml")
        if file.slug != stem:
            self._note(("slug",), f"the slug is {file.slug}, the file's name {show(stem)}: they must be the same")
        if who := who_reserves_slug(file.slug, self._settings):
            self._note(("slug",), f"the slug {file.slug} is reserved by {who}: choose another one")

    def _members(self, file: TenantSection) -> dict[Role, tuple[str, ...]]:
        members = {}
        for role in Role:
            people: list[str] = getattr(file.members, role.value, [])
            if people:
                self._once(("members", role.value), people)
                members[role] = tuple(people)
        others = (person for role in file.roles.values() for person in role.members)
        people_count = len({file.owner, *others, *(person for people in members.values() for person in people)})
        self._limit(("members",), "people", people_count, self._settings.limits.members)
        return members

    def _roles(self, file: TenantSection, names: Outline) -> tuple[OwnRole, ...]:
        for name, role in file.roles.items():
            path: KeyPath = ("roles", name)
            if name in {role.value for role in Role}:
                self._note(path, f"{name} is a role of the platform: list its people in `members`", at_key=True)
            elif name in names.environments:
                self._note(
                    path,
                    f"a role cannot be called {name}: an environment has that name, and both are groups",
                    at_key=True,
                )
            self._once((*path, "rights"), role.rights)
            self._once((*path, "members"), role.members)
        return tuple(
            OwnRole(name, role.description, frozenset(map(Right, role.rights)), tuple(role.members))
            for name, role in file.roles.items()
        )

    # Environments ---------------------------------------------------------------------------------------------------

    def _environment(self, name: str, stated: EnvironmentSection, names: Outline) -> Environment | None:
        path: KeyPath = ("environments", name)
        settings = self._settings
        if reason := _NOT_ENVIRONMENTS.get(name):
            self._note(path, f"an environment cannot be called {name}: that is {reason}", at_key=True)
        if {(*path, "stage"), (*path, "cluster")} & self._wrong:
            return None
        stage = stated.stage
        if stage is None:
            listed = enumerate_words(settings.stages)
            self._note(path, f"environments.{name}: the key stage is missing; allowed: {listed}", at_key=True)
            return None
        cluster = stated.cluster
        offering = [c.name for c in settings.clusters.values() if stage in c.stages]
        if cluster is None:
            listed = f"allowed for {stage}: {enumerate_words(offering)}" if offering else f"none offers {stage}"
            self._note(path, f"environments.{name}: the key cluster is missing; {listed}", at_key=True)
            return None
        if cluster not in offering:
            offered = settings.clusters[cluster].stages
            self._note(
                (*path, "cluster"),
                f"environments.{name}: cluster {cluster} does not offer stage {stage}, only "
                f"{enumerate_words(offered)}; clusters that do: {enumerate_words(offering) or 'none'}",
            )
        egress = tuple(Egress(opening.host, opening.port) for opening in stated.egress)
        self._once((*path, "egress"), egress, lambda e: f"{e.host}:{e.port}")  # type: ignore[attr-defined]
        self._limit((*path, "egress"), "openings", len(egress), settings.limits.egress)
        self._once((*path, "hosts"), stated.hosts)
        self._limit((*path, "hosts"), "hosts", len(stated.hosts), settings.limits.hosts)
        return Environment(
            name=name,
            stage=stage,
            production=settings.stages[stage].production,
            cluster=cluster,
            quota=to_quota(stated.quota, stated.quota.pods),
            autosync=stated.autosync,
            url=stated.url,
            egress=egress,
            hosts=tuple(stated.hosts),
            freezes=tuple(Freeze(each.schedule, each.duration, each.time_zone) for each in stated.freezes),
            objectives=to_objectives(name, stated, self._wrong, self._note),
            backup=to_backup(
                name,
                stated,
                settings.stages[stage],
                settings.clusters[cluster],
                self._note,
                by_file=names.states("environments", name, "backup"),
            ),
        )

    def _envelope(self, tenant: Tenant, names: Outline) -> None:
        """Compare the sums of the environments with the envelope, by class and resource."""
        for production, word, envelope in (
            (False, "nonprod", tenant.envelope.nonprod),
            (True, "prod", tenant.envelope.prod),
        ):
            members = [e for e in tenant.environments if e.production is production]
            total = Quota()
            for environment in members:
                total += environment.quota
            for resource, render in (
                ("cpu", render_cpu),
                ("memory", render_size),
                ("storage", render_size),
                ("gpu", str),
            ):
                used, allowed = getattr(total, resource), getattr(envelope, resource)
                if used > allowed:
                    listed = enumerate_words(e.name for e in members)
                    whose = f"the envelope of archetype {tenant.archetype}"
                    path: KeyPath = ("environments",)
                    if names.states("envelope", word, resource):
                        whose, path = "the envelope", ("envelope", word, resource)
                    self._note(
                        path,
                        f"envelope.{word}.{resource}: the environments {listed} add up to {render(used)}, "
                        f"{whose} allows {render(allowed)}",
                        at_key=len(path) == 1,
                    )

    # Repositories ---------------------------------------------------------------------------------------------------

    def _repository(self, name: str, stated: RepositorySection, names: Outline) -> Repository:
        path: KeyPath = ("repositories", name)
        if is_reserved_repository(name):
            self._note(path, f"a repository cannot be called {name}: GitLab reserves that path", at_key=True)
        branch, protected = stated.default_branch, tuple(stated.protected_branches)
        if names.states("repositories", name, "protectedBranches"):
            self._once((*path, "protectedBranches"), protected)
        if branch not in protected:
            protected = (branch, *protected)
        kind = RepositoryKind(stated.kind)
        if kind is RepositoryKind.APP and (*path, "kind") not in self._wrong:
            check_infra_keys(name, stated, self._note)
        mirror, deploys = stated.mirror, stated.deploys
        stated_preset = names.states("repositories", name, "preset") and (*path, "mirror") not in self._wrong
        if mirror is not None and mirror.pipelines and stated_preset:
            self._note(
                (*path, "preset"),
                f"repositories.{name}: with mirror.pipelines the CI file of the source runs; leave out preset",
                at_key=True,
            )
        return Repository(
            name=name,
            kind=kind,
            preset=stated.preset,
            default_branch=branch,
            protected_branches=protected,
            mirror=None
            if mirror is None
            else Mirror(mirror.url, mirror.schedule, mirror.credentials, mirror.pipelines),
            deployment=self._deployment(name, stated, branch, names) if kind is RepositoryKind.INFRA else None,
            deploys=None
            if deploys is None
            else Deploys(deploys.repository, {e: Promotion(way) for e, way in deploys.environments.items()}),
        )

    def _deployment(self, name: str, stated: RepositorySection, branch: str, names: Outline) -> Deployment:
        self._once(("repositories", name, "valueFiles"), stated.value_files or ())
        return to_deployment(name, stated, branch, names.environments, names.wrong, self._settings, self._note)

    # Names of environments and repositories in other keys ------------------------------------------------------------

    def _quality(self, stated: QualitySection, file: TenantSection, names: Outline) -> Quality:
        dast = stated.dast
        if dast is not None:
            path: KeyPath = ("quality", "dast", "environments")
            self._once(path, dast.environments)
            for index, name in enumerate(dast.environments):
                if name not in names.environments:
                    self._note(
                        self._item(path, index),
                        f"no such environment in this file: {show(name)}; {did_you_mean(name, names.environments)}",
                    )
                elif (
                    name in file.environments
                    and file.environments[name].url is None
                    and ("environments", name, "url") not in self._wrong
                ):
                    self._note(self._item(path, index), f"environment {name} has no url: there is nothing to analyse")
        return Quality(
            gate=stated.gate,
            new_code_days=stated.new_code.days,
            findings=ImageSeverity(stated.findings),
            dast=None if dast is None else self._dast(dast),
        )

    def _dast(self, stated: DastSection) -> Dast:
        path: KeyPath = ("quality", "dast")
        scan = DastScan(stated.scan)
        if (*path, "openapi") not in self._wrong and (*path, "scan") not in self._wrong:
            if scan is DastScan.API and stated.openapi is None:
                self._note((*path, "scan"), "a scan of an API needs openapi, the path of its OpenAPI document")
            if scan is not DastScan.API and stated.openapi is not None:
                self._note((*path, "openapi"), f"openapi is for scan api; this one is {scan.value}", at_key=True)
        self._once((*path, "exclusions"), stated.exclusions)
        return Dast(
            environments=tuple(stated.environments),
            schedule=stated.schedule,
            scan=scan,
            openapi=stated.openapi,
            credentials=stated.credentials,
            threshold=ImageSeverity(stated.threshold),
            exclusions=tuple(stated.exclusions),
        )

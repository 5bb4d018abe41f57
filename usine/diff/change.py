"""The difference of two revisions: files, tenants and objects."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from model.problems import START, Problem, SpecError
from model.reading.settings_load import load_settings
from model.reading.waivers import WAIVERS_FILE
from model.settings import Settings
from model.tenant import Tenant
from usine.diff.cache import PlanCache
from usine.diff.compare import compare
from usine.diff.effects import same_effects
from usine.diff.existing import existing
from usine.diff.planning import PlanError, Task, merge, plan
from usine.diff.reach import Reach, changed_paths, reach, same_platform
from usine.diff.repository import WORKTREE, GitClone, GitError
from usine.diff.side import PACKAGES, Side, SideContents, read_beside, read_fleet
from usine.diff.wording import verdict
from usine.diff.workspace import workspace
from usine.plan.model import Plan
from usine.plan.scope import PlanScope
from usine.report.model import Entry, Kind, Notice, Report
from usine.report.words import plural
from usine.rules import Change
from usine.rules.reading import waivers_of_base, waivers_of_head

#: Variables of a merge request pipeline: the commit where the branch left its target, and the target branch.
_CI_BASE = "CI_MERGE_REQUEST_DIFF_BASE_SHA"
_CI_TARGET = "CI_MERGE_REQUEST_TARGET_BRANCH_NAME"


class DiffError(Exception):
    """The revisions cannot be compared. The message has some lines for people and names the revision at fault."""


@dataclass(frozen=True, slots=True)
class Target:
    """Who may change what according to the target branch as it is now, so that an old branch keeps no right (11.A9).

    `settings` is None if this program cannot read them, `waivers` if there is no such file.
    """

    settings: Settings | None
    waivers: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Comparison:
    """The difference of two revisions.

    `files` are the paths that differ, from the repository's top. `base` and `head` hold every tenant by slug. `base`
    and `base_settings` are None if this program cannot read them. `projects` is the folder of tenant files, `texts` are
    the bytes of the head's tenant files that differ, by path. `entries` are the objects that differ. `existing` says
    how many objects the base has of each kind that loses some (see `usine.diff.existing`). `report` is the report
    without the notices of the rules. Waivers are the bytes of each side's file, or None. `target` is the target branch
    as it is now; it decides who may change what. It is None if the base is the target branch, or if a base was named.
    """

    report: Report
    entries: tuple[Entry, ...]
    files: frozenset[str]
    settings: Settings
    base_settings: Settings | None
    base: Mapping[str, Tenant] | None
    head: Mapping[str, Tenant]
    existing: Mapping[str, int]
    projects: str
    texts: Mapping[str, bytes] = field(repr=False)
    base_waivers: bytes | None = field(default=None, repr=False)
    head_waivers: bytes | None = field(default=None, repr=False)
    target: Target | None = None

    def change(self, author: str | None, today: datetime.date) -> Change:
        """Return the change for the rules. Raises SpecError for a wrong waivers file of the head, not of the base."""
        trusted = self.target or Target(self.base_settings, self.base_waivers)
        return Change(
            settings=self.settings,
            base=self.base,
            head=self.head,
            files=self.files,
            entries=self.entries,
            existing=self.existing,
            author=author,
            today=today,
            base_settings=self.base_settings,
            trusted_settings=trusted.settings,
            projects=self.projects,
            texts=self.texts,
            base_waivers=waivers_of_base(trusted.waivers, trusted.settings, today),
            head_waivers=waivers_of_head(self.head_waivers, self.settings, today),
        )

    def with_notices(self, notices: Sequence[Notice]) -> Report:
        """Return the report with the notices of the rules, which also count in its verdict."""
        report = replace(self.report, notices=tuple(notices))
        return replace(report, verdict=verdict(report))


def find(root: Path, base: str | None, head: str, settings: PurePosixPath, cache: PlanCache) -> Comparison:
    """Compare two revisions of the clone at `root`.

    Args:
        root: the top of the clone.
        base: a revision; None: where the head left the default branch or, in a pipeline, the target branch.
        head: a revision, or `WORKTREE`.
        settings: the path of the settings file from the top; each side has its own version of the file.
        cache: the cache of plans.

    Raises:
        SpecError: files of the head are wrong.
        DiffError: a revision does not exist, files of the base are wrong, a program fails, or git fails.
    """
    try:
        with workspace() as folder:
            repository = GitClone(root, folder / "git")
            old_revision = base or os.environ.get(_CI_BASE) or _parting(repository, head)
            new, old = (
                _lay_out(repository, revision, side, folder, settings)
                for side, revision in (("head", head), ("base", old_revision))
            )
            found = _compare(old, new, cache, folder)
            return found if base else replace(found, target=_target(repository, old, folder))
    except (GitError, PlanError) as error:
        raise DiffError(str(error)) from None


def _parting(repository: GitClone, head: str) -> str:
    return repository.merge_base("HEAD" if head == WORKTREE else head, repository.default_branch())


def _target(repository: GitClone, old: Side, workspace: Path) -> Target | None:
    """Read the target branch as it is now; None if the base is the same tree."""
    branch = f"origin/{os.environ.get(_CI_TARGET)}"
    revision = branch if repository.has(branch) else repository.default_branch()
    if repository.tree(revision) == old.tree:
        return None
    side = _lay_out(repository, revision, "target", workspace, old.settings_path)
    try:
        found = load_settings(side.folder / side.settings_path) if side.settings is not None else None
    except SpecError:
        found = None
    return Target(found, side.read(WAIVERS_FILE))


def _lay_out(repository: GitClone, revision: str, side: str, workspace: Path, settings: PurePosixPath) -> Side:
    tree, folder = repository.tree(revision), workspace / side
    folder.mkdir()
    repository.lay_out(tree, folder)
    return Side(side, *repository.describe(revision), tree, folder, repository.objects(tree), settings)


def _compare(old: Side, new: Side, cache: PlanCache, workspace: Path) -> Comparison:
    if new.settings is None:
        raise SpecError([Problem(str(new.settings_path), *START, "settings: no such file in the head")])
    read_new = read_fleet(new)
    read_old = _read_base(old, new, read_new)
    reached = reach(old, new, read_old, read_new)
    plans = plan([*reached.base, *reached.head], cache, workspace)
    planned_old = merge(plans[: len(reached.base)])
    entries = compare(planned_old, merge(plans[len(reached.base) :]))
    files = changed_paths(old, new)
    folder = read_new.folder
    effects = same_effects(entries, *(side.projects for side in (read_new, read_old) if side is not None))
    facts = (*_facts(old, new, reached), *_fact_of(effects, entries))
    report = Report(Kind.DIFF, f"usine diff: {old.name} .. {new.name}", "", facts, entries, effects=effects)
    return Comparison(
        report=replace(report, verdict=verdict(report)),
        entries=entries,
        files=files,
        settings=read_new.settings,
        base_settings=read_old.settings if read_old is not None else None,
        base=read_old.projects if read_old is not None else None,
        head=read_new.projects,
        existing=_existing(
            _one_by_one(entries, read_new), old, read_old or read_new, planned_old, reached, cache, workspace
        ),
        projects=str(folder),
        texts={p: data for p in sorted(files) if PurePosixPath(p).parent == folder and (data := new.read(p))},
        base_waivers=old.read(WAIVERS_FILE),
        head_waivers=new.read(WAIVERS_FILE),
    )


def _read_base(old: Side, new: Side, read_new: SideContents) -> SideContents | None:
    """Read the base; None if this program cannot. Raises DiffError if the base's own program could not either."""
    if old.settings is None:
        return SideContents(read_new.settings, read_new.folder, {})
    try:
        return read_beside(old, new, read_new) if same_platform(old, new) else read_fleet(old)
    except SpecError as error:
        if same_platform(old, new):
            lines = "\n".join(map(str, error.problems))
            raise DiffError(
                f"the base, {old.full_name}, has wrong files; those of the head are right:\n{lines}"
            ) from None
        return None


def _one_by_one(entries: Sequence[Entry], head: SideContents) -> Sequence[Entry]:
    """Leave out the objects of removed tenants: the rules count such a tenant, not its objects."""
    return [entry for entry in entries if entry.tenant is None or entry.tenant in head.projects]


def _existing(
    entries: Sequence[Entry],
    old: Side,
    fleet: SideContents,
    planned: Plan,
    reached: Reach,
    cache: PlanCache,
    workspace: Path,
) -> Mapping[str, int]:
    done = {slug for task in reached.base if task.scope for slug in task.scope.tenants}
    rest = [] if reached.everything else sorted(fleet.projects.keys() - done)
    so_far = [planned]

    def plan_more(slugs: Sequence[str]) -> Plan:
        so_far.extend(plan([Task(old, fleet.folder, PlanScope(frozenset(slugs)))], cache, workspace))
        return merge(so_far)

    return existing(entries, planned, rest, fleet.settings.changes.mass_removal, plan_more)


def _fact_of(effects: Sequence[Sequence[str]], entries: Iterable[Entry]) -> tuple[tuple[str, str], ...]:
    """Return the number of effects as a fact, if several tenants have the same."""
    if not effects:
        return ()
    tenants = {entry.tenant for entry in entries} - {None}
    distinct = len(tenants) - sum(len(effect) - 1 for effect in effects)
    return (("effects", f"{plural(len(tenants), 'tenant')}, {plural(distinct, 'distinct effect')}"),)


def _facts(old: Side, new: Side, reached: Reach) -> tuple[tuple[str, str], ...]:
    facts = [("base", old.full_name), ("head", new.full_name)]
    facts += [("settings", str(new.settings_path)), ("planned", reached.text)]
    if reached.base and old.objects.get(PACKAGES) != new.objects.get(PACKAGES):
        facts.append(("packages", f"{PACKAGES} differs; both sides were planned with the packages of this command"))
    return tuple(facts)

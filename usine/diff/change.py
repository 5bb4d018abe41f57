"""From two revisions to what lies between them: files, tenants, objects."""

from __future__ import annotations

import datetime
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from model.problems import START, Problem, SpecError
from model.reading.settings_load import load_settings
from model.reading.waivers import WAIVERS_FILE
from model.settings import Settings
from model.tenant import Tenant
from usine.diff.cache import PlanCache
from usine.diff.compare import compare
from usine.diff.existing import existing
from usine.diff.planning import PlanError, Task, merge, plan
from usine.diff.reach import Reach, changed_paths, reach, same_platform
from usine.diff.repository import WORKTREE, GitError, Repository
from usine.diff.side import PACKAGES, Fleet, Side, read_beside, read_fleet
from usine.diff.wording import verdict
from usine.diff.workspace import workspace
from usine.plan.model import Plan
from usine.plan.scope import Scope
from usine.report.model import Entry, Kind, Notice, Report
from usine.rules import Change
from usine.rules.reading import waivers_of_base, waivers_of_head

#: In a pipeline of a merge request, GitLab says where the branch left its target, and which branch that is.
_CI_BASE = "CI_MERGE_REQUEST_DIFF_BASE_SHA"
_CI_TARGET = "CI_MERGE_REQUEST_TARGET_BRANCH_NAME"


class DiffError(Exception):
    """There is nothing to compare with: some lines for people, which say on whose side the fault is."""


@dataclass(frozen=True, slots=True)
class Target:
    """What the target branch says now of who may change what: a branch that left it long ago keeps no right (11.A9).

    `settings` is None where this program cannot read them, `waivers` where there is no such file.
    """

    settings: Settings | None
    waivers: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What lies between two revisions.

    `files` are the paths that differ, from the repository's top. `base` and `head` hold every tenant by slug; `base` is
    None when this program cannot read it, and so is `base_settings`. `projects` is the folder of tenant files, `texts`
    the bytes of the head's tenant files that differ, by path. `entries` is the semantic difference, `existing` how many
    objects the base has of the kinds that lose some (see `usine.diff.existing`). `report` says all of it, without what
    rules have to say. Waivers are the bytes of each side's file, None where there is none. `target` is what the target
    branch says now, where that is not the base; None too for a comparison with a base that was named. What it says of
    people counts, not what the base says.
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
        """Return what the rules look at. Raises SpecError for a wrong waivers file of the head; of the base, none."""
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
        """Return the report with what rules have to say, in its verdict too."""
        report = replace(self.report, notices=tuple(notices))
        return replace(report, verdict=verdict(report))


def find(root: Path, base: str | None, head: str, settings: PurePosixPath, cache: PlanCache) -> Comparison:
    """Compare two revisions of the clone at `root`.

    Args:
        root: the top of the clone.
        base: a revision; None: where the head left the default branch, in a pipeline its target.
        head: a revision, or `WORKTREE`.
        settings: the settings file, from the top; each side has its own version of it.
        cache: where plans are kept.

    Raises:
        SpecError: the head's files are wrong.
        DiffError: there is no such revision, the base is wrong, a program fails, git does.
    """
    try:
        with workspace() as folder:
            repository = Repository(root, folder / "git")
            old_revision = base or os.environ.get(_CI_BASE) or _parting(repository, head)
            new, old = (
                _lay_out(repository, revision, side, folder, settings)
                for side, revision in (("head", head), ("base", old_revision))
            )
            found = _compare(old, new, cache, folder)
            return found if base else replace(found, target=_target(repository, old, folder))
    except (GitError, PlanError) as error:
        raise DiffError(str(error)) from None


def _parting(repository: Repository, head: str) -> str:
    return repository.merge_base("HEAD" if head == WORKTREE else head, repository.default_branch())


def _target(repository: Repository, old: Side, workspace: Path) -> Target | None:
    """Read the target branch as it is now; None where that is the base."""
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


def _lay_out(repository: Repository, revision: str, side: str, workspace: Path, settings: PurePosixPath) -> Side:
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
    report = Report(Kind.DIFF, f"usine diff: {old.name} .. {new.name}", "", _facts(old, new, reached), entries)
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


def _read_base(old: Side, new: Side, read_new: Fleet) -> Fleet | None:
    """Read the base; None when this program cannot. Raises DiffError when its own program could not either."""
    if old.settings is None:
        return Fleet(read_new.settings, read_new.folder, {})
    try:
        return read_beside(old, new, read_new) if same_platform(old, new) else read_fleet(old)
    except SpecError as error:
        if same_platform(old, new):
            lines = "\n".join(map(str, error.problems))
            raise DiffError(
                f"the base, {old.full_name}, has files that are wrong; the head's are not:\n{lines}"
            ) from None
        return None


def _one_by_one(entries: Sequence[Entry], head: Fleet) -> Sequence[Entry]:
    """Leave out what goes with a whole tenant: the rules count that as one tenant, not by kind of object."""
    return [entry for entry in entries if entry.tenant is None or entry.tenant in head.projects]


def _existing(
    entries: Sequence[Entry],
    old: Side,
    fleet: Fleet,
    planned: Plan,
    reached: Reach,
    cache: PlanCache,
    workspace: Path,
) -> Mapping[str, int]:
    done = {slug for task in reached.base if task.scope for slug in task.scope.tenants}
    rest = [] if reached.everything else sorted(fleet.projects.keys() - done)
    so_far = [planned]

    def plan_more(slugs: Sequence[str]) -> Plan:
        so_far.extend(plan([Task(old, fleet.folder, Scope(frozenset(slugs)))], cache, workspace))
        return merge(so_far)

    return existing(entries, planned, rest, fleet.settings.changes.mass_removal, plan_more)


def _facts(old: Side, new: Side, reached: Reach) -> tuple[tuple[str, str], ...]:
    facts = [("base", old.full_name), ("head", new.full_name)]
    facts += [("settings", str(new.settings_path)), ("planned", reached.said)]
    if reached.base and old.objects.get(PACKAGES) != new.objects.get(PACKAGES):
        facts.append(("packages", f"both sides were planned with those of this command; {PACKAGES} differs"))
    return tuple(facts)

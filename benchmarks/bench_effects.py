"""The processor time to find tenants with the same effect of a change, by the size of the fleet.

The change touches every object that one tenant of the samples has: each property of each object of a tenant differs.
One tenant in eight has another value in one property. Prints one row per size: finding the effects, and the page, the
comment and the JSON with and without them. Run: python -m benchmarks.bench_effects [SIZE ...]
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from benchmarks.bench_spec import spent_by
from model.reading.load import load
from model.reading.settings_load import load_settings
from model.tenant import Tenant
from usine.commands.common import DEFAULT_SETTINGS, ROOT
from usine.diff.effects import same_effects
from usine.plan import make_plan
from usine.plan.model import PlannedResource
from usine.report import as_json, html, markdown
from usine.report.model import Action, Entry, Kind, PropertyChange, Report

SIZES: Final = (10, 100, 1000)
_SAMPLE: Final = "petitions"
#: One tenant in so many has another effect.
_OTHERS: Final = 8


def main(sizes: Sequence[int] = SIZES) -> None:
    """Measure and print a row per size."""
    heads = ("tenants", "objects", "effects", "page", "without", "comment", "without", "JSON")
    print("".join(f"{head:>10}" for head in heads))
    for size in sizes:
        entries, tenants = change(size)
        spent, effects = spent_by(partial(same_effects, entries, tenants))
        report = Report(Kind.DIFF, "usine diff", "", (), entries, effects=effects)
        alone = replace(report, effects=())
        jobs = (partial(html.render, report), partial(html.render, alone), partial(_comment, report))
        times = [spent_by(job)[0] for job in (*jobs, partial(_comment, alone), partial(as_json.render, report))]
        cells = "".join(f"{seconds:>9.2f}s" for seconds in (spent, *times))
        print(f"{size:>10}{len(entries):>10}{cells}", flush=True)


def change(size: int) -> tuple[tuple[Entry, ...], dict[str, Tenant]]:
    """Return the entries of a change for a fleet of this size, and its tenants."""
    settings = load_settings(DEFAULT_SETTINGS)
    (sample,) = (tenant for tenant in load(ROOT / settings.projects, settings) if tenant.slug == _SAMPLE)
    objects = [r for r in make_plan(settings, [sample]).resources if r.tenant and not (r.is_component or r.is_provider)]
    slugs = [f"tenant-{number}" for number in range(size)]
    entries = tuple(
        _entry(resource, slug, "now" if (number + 1) % _OTHERS else "again")
        for number, slug in enumerate(slugs)
        for resource in objects
    )
    return entries, {slug: replace(sample, slug=slug) for slug in slugs}


def _entry(resource: PlannedResource, slug: str, word: str) -> Entry:
    def named(value: object) -> object:
        return value.replace(_SAMPLE, slug) if isinstance(value, str) else value

    properties = tuple(PropertyChange(key, named(value), f"{slug} {word}") for key, value in resource.inputs.items())
    name = resource.name.replace(_SAMPLE, slug)
    return Entry(Action.CHANGED, slug, resource.system, resource.type, name, properties)


def _comment(report: Report) -> str:
    return markdown.render(report, marker="bench")


if __name__ == "__main__":
    main([int(argument) for argument in sys.argv[1:]] or SIZES)

"""GitLab's `reports:terraform`: the three numbers of a merge request's widget."""

from __future__ import annotations

import json

from usine.report.model import Action, Report


def render(report: Report) -> str:
    """Render ``{"create": n, "update": n, "delete": n}``.

    A replaced object counts as deleted and as created. Of drift, the numbers are what putting it right would do: what
    is missing is created, what is unmanaged deleted. What failed did not happen, and does not count.
    """
    counts = report.counts()
    numbers = {
        "create": counts[Action.CREATED] + counts[Action.REPLACED] + counts[Action.MISSING],
        "update": counts[Action.CHANGED],
        "delete": counts[Action.DESTROYED] + counts[Action.REPLACED] + counts[Action.UNMANAGED],
    }
    return json.dumps(numbers) + "\n"

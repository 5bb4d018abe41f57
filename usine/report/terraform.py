"""GitLab's `reports:terraform`: the three numbers in the widget of a merge request."""

from __future__ import annotations

import json

from usine.report.model import Action, Report


def render(report: Report) -> str:
    """Render ``{"create": n, "update": n, "delete": n}``.

    A replaced object counts as deleted and as created. For drift, the numbers are those of its repair: missing objects
    are created, unmanaged ones deleted. Failed actions do not count.
    """
    counts = report.counts()
    numbers = {
        "create": counts[Action.CREATED] + counts[Action.REPLACED] + counts[Action.MISSING],
        "update": counts[Action.CHANGED],
        "delete": counts[Action.DESTROYED] + counts[Action.REPLACED] + counts[Action.UNMANAGED],
    }
    return json.dumps(numbers) + "\n"

"""The types of values about dashboards: like `fields`, for the key `observability.dashboards`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Annotated, Final

from pydantic import AfterValidator, WithJsonSchema

from model.texts import show

LONGEST_QUERY: Final = 2000
LONGEST_LEGEND: Final = 100
#: Ten dashboards of this length fit into a ConfigMap, which has one MiB.
LONGEST_MODEL: Final = 60_000
MOST_DASHBOARDS: Final = 10
MOST_PANELS: Final = 40
_NAME: Final = r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*"
_LONGEST_NAME: Final = 30
_UNPRINTABLE: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
#: The data sources of a tenant's Grafana, and what Grafana itself calls so.
SOURCES: Final = ("logs", "metrics")
_BUILT_IN: Final = frozenset({"grafana", "-- Grafana --", "-- Mixed --", "-- Dashboard --"})


def _check_name(value: str) -> str:
    if not re.fullmatch(_NAME, value) or len(value) > _LONGEST_NAME:
        raise ValueError("the name of a dashboard has up to 30 lower-case letters, digits and single dashes")
    return value


def _check_query(value: str) -> str:
    value = value.strip()
    if not value:
        raise ValueError("the value is empty")
    if len(value) > LONGEST_QUERY:
        raise ValueError(f"{len(value)} characters; at most {LONGEST_QUERY} are allowed")
    if _UNPRINTABLE.search(value):
        raise ValueError("control characters are not allowed")
    return value


def _check_legend(value: str) -> str:
    if len(value) > LONGEST_LEGEND or _UNPRINTABLE.search(value) or "\n" in value:
        raise ValueError(f"one line of up to {LONGEST_LEGEND} characters is expected, such as {{{{pod}}}}")
    return value


def _check_model(value: str) -> str:
    """Return the JSON text of a dashboard in one spelling. The program sets its id, its address and its title."""
    if len(value) > LONGEST_MODEL:
        raise ValueError(f"{len(value)} characters; at most {LONGEST_MODEL} are allowed")
    try:
        model = json.loads(value)
    except (ValueError, RecursionError):
        raise ValueError("not JSON: expected what Grafana exports of a dashboard") from None
    panels = model.get("panels") if isinstance(model, dict) else None
    if not isinstance(model, dict) or type(panels) is not list:
        raise ValueError("expected the JSON object of a dashboard, with panels, as Grafana exports it (classic model)")
    if "__inputs" in model:
        raise ValueError("it was exported to be shared: export it again without that option, with its data sources")
    for source in _sources(model):
        if source not in _BUILT_IN and source not in SOURCES:
            raise ValueError(f"there is no data source {show(source)}; the uid is {' or '.join(SOURCES)}")
    return json.dumps(model, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _sources(node: object) -> Iterator[str]:
    """Yield the uid of every data source that a dashboard names."""
    left = [node]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            source = one.get("datasource")
            uid = source.get("uid") if isinstance(source, dict) else source
            if isinstance(uid, str):
                yield uid
            left.extend(one.values())
        elif isinstance(one, list):
            left.extend(one)


DashboardName = Annotated[
    str,
    AfterValidator(_check_name),
    WithJsonSchema({"type": "string", "pattern": f"^{_NAME}$", "maxLength": _LONGEST_NAME}),
]
Query = Annotated[
    str,
    AfterValidator(_check_query),
    WithJsonSchema(
        {
            "type": "string",
            "minLength": 1,
            "maxLength": LONGEST_QUERY,
            "description": "PromQL, or LogQL with kind logs. $namespace are the namespaces that the reader chooses.",
        }
    ),
]
Legend = Annotated[
    str,
    AfterValidator(_check_legend),
    WithJsonSchema({"type": "string", "maxLength": LONGEST_LEGEND, "description": "Names of series: {{label}}."}),
]
Model = Annotated[
    str,
    AfterValidator(_check_model),
    WithJsonSchema({"type": "string", "maxLength": LONGEST_MODEL}),
]

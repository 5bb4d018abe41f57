"""What GitLab's schemas of reports ask for, as far as `usine-ci findings` writes it.

Written after security-report-schemas 15.0 and the documentation of Code Quality. A report that does not fit is an error
of the pipeline in GitLab, which then reads none of it.
"""

from __future__ import annotations

from typing import Any

_TEXT = {"type": "string"}
_SOME = {"type": "string", "minLength": 1}
_URL = {"type": "string", "pattern": "^https?://.+"}
_TIME = {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}$"}


def _object(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    """Return an object with these keys and no others: those of GitLab's schemas that we know we write."""
    return {
        "type": "object",
        "required": sorted(required),
        "properties": {**required, **optional},
        "additionalProperties": False,
    }


_LINES = {"file": _SOME, "start_line": {"type": "integer"}, "end_line": {"type": "integer"}}
_DEPENDENCY = _object({"package": _object({"name": _TEXT}), "version": _TEXT})
_LOCATIONS = {
    "secret_detection": _object({**_LINES, "commit": _object({"sha": _SOME})}),
    "sast": _object(_LINES),
    "dependency_scanning": _object({"file": _SOME, "dependency": _DEPENDENCY}),
    "container_scanning": _object({"dependency": _DEPENDENCY, "operating_system": _SOME, "image": _SOME}),
}


def security_schema(kind: str) -> dict[str, Any]:
    """Return the schema of one kind of security report."""
    tool = _object({"id": _SOME, "name": _SOME, "version": _SOME, "vendor": _object({"name": _SOME})})
    identifier = _object({"type": _SOME, "name": _SOME, "value": _SOME}, url=_URL)
    vulnerability = _object(
        {
            "id": _SOME,
            "name": {"type": "string", "maxLength": 255},
            "description": {"type": "string", "maxLength": 1_048_576},
            "severity": {"enum": ["Info", "Unknown", "Low", "Medium", "High", "Critical"]},
            "solution": {"type": "string", "maxLength": 7000},
            "identifiers": {"type": "array", "minItems": 1, "items": identifier},
            "links": {"type": "array", "items": _object({"url": _URL})},
            "location": _LOCATIONS[kind],
        }
    )
    scan = _object(
        {
            "analyzer": tool,
            "scanner": tool,
            "start_time": _TIME,
            "end_time": _TIME,
            "status": {"enum": ["success", "failure"]},
            "type": {"const": kind},
        },
        messages={
            "type": "array",
            "items": _object({"level": {"enum": ["info", "warn", "fatal"]}, "value": _SOME}),
        },
    )
    more = {"dependency_files": {"type": "array"}} if kind == "dependency_scanning" else {}
    return _object(
        {
            "version": {"type": "string", "pattern": r"^15\.0\.\d+$"},
            "scan": scan,
            "vulnerabilities": {"type": "array", "items": vulnerability},
            **more,
        }
    )


#: Every edition of GitLab shows it in the merge request.
CODE_QUALITY: dict[str, Any] = {
    "type": "array",
    "items": _object(
        {
            "description": _SOME,
            "check_name": _SOME,
            "fingerprint": _SOME,
            "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
            "location": _object(
                {"path": _SOME, "lines": _object({"begin": {"type": "integer", "minimum": 1}})},
            ),
        }
    ),
}

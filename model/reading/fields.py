"""The types of single values in a file: their checks, messages and JSON Schemas.

Each validator raises ValueError with a whole sentence; `model.reading.explain` adds the place. The JSON Schema of a
type allows the same values as its validator, as far as a schema can express it.
"""

from __future__ import annotations

import datetime
import re
import zoneinfo
from collections.abc import Callable
from typing import Annotated, Any, Final

from pydantic import AfterValidator, PlainValidator, WithJsonSchema

from model.reading import amounts
from model.reading.addresses import EMAIL_PATTERN, HOST_PATTERN, URL_PATTERN, parse_email, parse_host, parse_url
from model.reading.cron import BACKUP_PATTERN, CRON_PATTERN, parse_backup_schedule, parse_cron
from model.reading.git_names import check_branch, check_branch_pattern, check_revision
from model.reading.yaml_scalars import Ambiguous
from model.texts import is_secret_key, may_be_secret

Schema = dict[str, Any]


def text(pattern: str, expected: str, description: str, longest: int = 0) -> tuple[AfterValidator, WithJsonSchema]:
    """Return the annotations of a text type: pattern of the whole text, message, description for editors."""
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if compiled.fullmatch(value) is None or (longest and len(value) > longest):
            raise ValueError(expected)
        return value

    schema: Schema = {"type": "string", "pattern": f"^(?:{pattern})$", "description": description}
    if longest:
        schema["maxLength"] = longest
    return AfterValidator(check), WithJsonSchema(schema)


def _parsed(
    parse: Callable[[str], str], pattern: str, description: str, longest: int = 0
) -> tuple[AfterValidator, WithJsonSchema]:
    schema: Schema = {"type": "string", "pattern": pattern, "description": description}
    if longest:
        schema["maxLength"] = longest
    return AfterValidator(parse), WithJsonSchema(schema)


SLUG_PATTERN: Final = r"[a-z](?:-?[a-z0-9])+"
PERSON_PATTERN: Final = r"[a-z0-9][a-z0-9._-]{0,62}"
#: Lengths in characters, stated here for the check, its message and the JSON Schema.
LONGEST_NAME: Final = 80
LONGEST_DESCRIPTION: Final = 280
#: Of a role: Keycloak keeps no longer description of a group.
LONGEST_ROLE_DESCRIPTION: Final = 255
_SHORTEST_REASON: Final = 10
#: Backups are made at least once a week.
LEAST_BACKUP_DAYS: Final = 7
#: A slug, and the names of roles and repositories, which follow it in the names of objects.
SHORTEST_SLUG, LONGEST_SLUG = 2, 20
_SLUG = re.compile(SLUG_PATTERN)
_PERSON = re.compile(PERSON_PATTERN)


def check_slug(value: str) -> str:
    """Return a legal slug. Raises ValueError with the rule, and with a similar legal slug."""
    if _is_slug(value):
        return value
    near = re.sub(r"-{2,}", "-", re.sub(r"[\s_.]+", "-", value.strip().lower()))[:LONGEST_SLUG].strip("-")
    hint = f"; did you mean {near}?" if _is_slug(near) and not may_be_secret(value) else ""
    raise ValueError(
        f"a slug has {SHORTEST_SLUG} to {LONGEST_SLUG} characters: lower-case letters, digits and single dashes, "
        f"starting with a letter and not ending with a dash{hint}"
    )


def _is_slug(value: str) -> bool:
    return SHORTEST_SLUG <= len(value) <= LONGEST_SLUG and _SLUG.fullmatch(value) is not None


def check_person(value: str) -> str:
    """Return a legal user name. Raises ValueError."""
    if _PERSON.fullmatch(value):
        return value
    near = value.strip().lower()
    legal = _PERSON.fullmatch(near)
    hint = f"; did you mean {near}?" if legal and not may_be_secret(value) else ""
    if "@" in value:
        hint = "; not an e-mail address"
    raise ValueError(f"a person is a user name in lower case, such as alice.martin{hint}")


_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def _at_most(value: str, longest: int) -> str:
    value = value.strip()
    if len(value) > longest:
        raise ValueError(f"{len(value)} characters; at most {longest} are allowed")
    return value


def _check_name(value: str) -> str:
    if not value.strip():
        raise ValueError("the value is empty")
    value = _at_most(value, LONGEST_NAME)
    if _UNPRINTABLE.search(value):
        raise ValueError("one line of text is expected")
    return value


def _check_description(value: str, longest: int = LONGEST_DESCRIPTION) -> str:
    value = _at_most(value, longest)
    if _UNPRINTABLE.search(value.replace("\n", " ")):
        raise ValueError("control characters are not allowed")
    return value


def _check_backup_days(value: int) -> int:
    if value < LEAST_BACKUP_DAYS:
        raise ValueError(f"at least {LEAST_BACKUP_DAYS}d, so that there is always a backup")
    return value


def _check_reason(value: str) -> str:
    if len(value.strip()) < _SHORTEST_REASON or not value.isprintable():
        raise ValueError(f"expected a line of at least {_SHORTEST_REASON} characters that says why")
    return value.strip()


def _check_date(value: object) -> datetime.date:
    text = value.text if isinstance(value, Ambiguous) else value
    if isinstance(text, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        try:
            date = datetime.date.fromisoformat(text)
        except ValueError:
            raise ValueError("there is no such day; expected a date such as 2027-06-30") from None
        if 2000 <= date.year <= 2100:  # noqa: PLR2004 - other years are typing errors
            return date
        raise ValueError("a year between 2000 and 2100 is expected")
    raise ValueError("expected a date such as 2027-06-30")


def _relative(value: str, what: str) -> str:
    if value.startswith(("/", "~")) or "\\" in value or re.match(r"[A-Za-z]:", value):
        raise ValueError(f"{what} is relative to the repository, with / between its parts")
    parts = value.split("/")
    if ".." in parts:
        raise ValueError(f"{what} stays inside the repository: no ..")
    if "" in parts or ("." in parts and value != "."):
        raise ValueError(f"{what} has no empty part and no . in it")
    return value


_TIME_ZONE = r"[A-Za-z]+(/[A-Za-z0-9_+-]+)*"


def _check_time_zone(value: str) -> str:
    known = zoneinfo.available_timezones()
    # A machine without a time zone database knows none: then the shape has to do.
    if value not in known and (known or not re.fullmatch(_TIME_ZONE, value)):
        raise ValueError("no such time zone; expected a name such as Europe/Paris or UTC")
    return value


def _check_directory(value: str) -> str:
    _relative(value, "a path")
    if not re.fullmatch(r"[A-Za-z0-9._/-]{1,200}", value):
        raise ValueError("a path holds letters, digits, dots, dashes and underscores, 200 at most")
    return value


def _check_value_file(value: str) -> str:
    _relative(value, "a value file")
    plain = value.replace("<env>", "env")
    if "<" in plain or ">" in plain:
        raise ValueError("the only placeholder in a value file is <env>, the name of the environment")
    if not re.fullmatch(r"[A-Za-z0-9._/-]{1,200}\.ya?ml", plain):
        raise ValueError("a value file ends with .yaml; letters, digits, dots, dashes and underscores, 200 at most")
    return value


def _check_label_key(value: str) -> str:
    if is_secret_key(value):
        raise ValueError("everyone can read a label: do not write a secret here")
    if "/" in value:
        raise ValueError("a label's key has no prefix: the platform sets one")
    if not _LABEL.fullmatch(value):
        raise ValueError(_LABEL_RULE)
    return value


_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_LABEL_RULE = "1 to 63 letters, digits, dots, dashes and underscores, with a letter or digit first and last"


def _before(parse: Callable[[object], Any], schema: Schema) -> tuple[PlainValidator, WithJsonSchema]:
    return PlainValidator(parse), WithJsonSchema(schema)


_ENVIRONMENT_RULE = "an environment's name has 2 to 11 lower-case letters and digits, a letter first, no dash"
_ROLE_RULE = (
    f"a role's name has {SHORTEST_SLUG} to {LONGEST_SLUG} lower-case letters, digits and single dashes, "
    "a letter first, no dash last"
)
_REPOSITORY = r"[a-z0-9](?:-?[a-z0-9])+"
_REPOSITORY_RULE = (
    f"a repository's name has {SHORTEST_SLUG} to {LONGEST_SLUG} characters: lower-case letters, digits and "
    "single dashes, with a letter or digit first and last"
)

Slug = Annotated[
    str,
    AfterValidator(check_slug),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": f"^{SLUG_PATTERN}$",
            "minLength": SHORTEST_SLUG,
            "maxLength": LONGEST_SLUG,
            "description": "Identifier in every tool, and the name of this file. It never changes.",
        }
    ),
]
Name = Annotated[
    str,
    AfterValidator(_check_name),
    WithJsonSchema(
        {"type": "string", "minLength": 1, "maxLength": LONGEST_NAME, "description": "The name that people see."}
    ),
]
Description = Annotated[
    str,
    AfterValidator(_check_description),
    WithJsonSchema({"type": "string", "maxLength": LONGEST_DESCRIPTION, "description": "The purpose, for people."}),
]
RoleDescription = Annotated[
    str,
    AfterValidator(lambda value: _check_description(value, LONGEST_ROLE_DESCRIPTION)),
    WithJsonSchema(
        {
            "type": "string",
            "maxLength": LONGEST_ROLE_DESCRIPTION,
            "description": "The purpose of the role, for people; also of its group in Keycloak.",
        }
    ),
]
Person = Annotated[
    str,
    AfterValidator(check_person),
    WithJsonSchema({"type": "string", "pattern": f"^{PERSON_PATTERN}$", "description": "A user name, lower case."}),
]
Email = Annotated[str, *_parsed(parse_email, EMAIL_PATTERN, "An e-mail address.", 254)]
Date = Annotated[
    datetime.date,
    *_before(_check_date, {"type": "string", "format": "date", "pattern": r"^2[01][0-9]{2}-[0-9]{2}-[0-9]{2}$"}),
]
LabelKey = Annotated[
    str, AfterValidator(_check_label_key), WithJsonSchema({"type": "string", "pattern": f"^{_LABEL.pattern}$"})
]
LabelValue = Annotated[str, *text(f"(?:{_LABEL.pattern})?", f"a label's value is empty or has {_LABEL_RULE}", "")]
EnvironmentName = Annotated[str, *text(r"[a-z][a-z0-9]{1,10}", _ENVIRONMENT_RULE, "")]
RoleName = Annotated[str, *text(SLUG_PATTERN, _ROLE_RULE, "", LONGEST_SLUG)]
VersionName = Annotated[
    str,
    *text(
        r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,38}[A-Za-z0-9])?",
        "a version has up to 40 letters, digits, dots, dashes and underscores, such as 2026.11",
        "",
    ),
]
RepositoryName = Annotated[str, *text(_REPOSITORY, _REPOSITORY_RULE, "", LONGEST_SLUG)]
Cpu = Annotated[
    int,
    *_before(
        amounts.parse_cpu,
        {
            "anyOf": [
                {"type": "number", "minimum": 0, "maximum": amounts.MOST_CPU // 1000},
                {"type": "string", "pattern": amounts.CPU_PATTERN},
            ],
            "description": "Cores such as 4 or 0.5, or thousandths such as 500m.",
        },
    ),
]
Size = Annotated[
    int,
    *_before(
        amounts.parse_size,
        {
            "anyOf": [{"const": 0}, {"type": "string", "pattern": amounts.SIZE_PATTERN}],
            "description": "A whole number and its unit, such as 512Mi, 8Gi or 2Ti.",
        },
    ),
]
Count = Annotated[int, *_before(amounts.parse_count, {"type": "integer", "minimum": 0, "maximum": amounts.MOST_COUNT})]
Fraction = Annotated[
    float,
    *_before(amounts.parse_fraction, {"type": "number", "exclusiveMinimum": 0, "maximum": 1}),
]
Days = Annotated[
    int,
    *_before(
        amounts.parse_days, {"type": "string", "pattern": r"^[1-9][0-9]{0,3}d$", "description": "Days, such as 30d."}
    ),
]
Cron = Annotated[str, *_parsed(parse_cron, CRON_PATTERN, 'Five fields, such as "0 3 * * 1".', 100)]
BackupSchedule = Annotated[
    str,
    *_parsed(
        parse_backup_schedule,
        BACKUP_PATTERN,
        'Five fields of cron, in UTC: once an hour at most, once a week at least, such as "0 2 * * *".',
        100,
    ),
]
BackupDays = Annotated[Days, AfterValidator(_check_backup_days)]
Duration = Annotated[
    str,
    *text(
        r"(?=.)(?:[0-9]{1,4}h)?(?:[0-9]{1,4}m)?",
        "expected a duration such as 8h, 30m or 1h30m",
        "A duration, such as 8h, 30m or 1h30m.",
    ),
]
Reason = Annotated[
    str,
    AfterValidator(_check_reason),
    WithJsonSchema(
        {"type": "string", "minLength": _SHORTEST_REASON, "description": "Why, for people who read it later."}
    ),
]
TimeZone = Annotated[
    str, *_parsed(_check_time_zone, f"^{_TIME_ZONE}$", "The name of a time zone, such as Europe/Paris or UTC.")
]
Url = Annotated[str, *_parsed(parse_url, URL_PATTERN, "An https URL, without user, password, ? or #.", 500)]
Host = Annotated[str, *_parsed(parse_host, HOST_PATTERN, "A full host name in lower case.", 253)]
RevisionName = Annotated[
    str,
    *_parsed(
        check_revision,
        r"^[A-Za-z0-9._/@#+=-]{1,110}$",
        "A branch, a tag or a commit of the repository. Production: a protected branch, a protected tag as "
        "refs/tags/NAME, or a whole SHA.",
    ),
]
Branch = Annotated[str, *_parsed(check_branch, r"^[A-Za-z0-9._/@#+=-]{1,100}$", "A branch.")]
BranchPattern = Annotated[
    str, *_parsed(check_branch_pattern, r"^[A-Za-z0-9._/@#+=*-]{1,100}$", "A branch; * stands for anything.")
]
Directory = Annotated[str, *_parsed(_check_directory, r"^[A-Za-z0-9._/-]{1,200}$", "A folder of the repository.")]
ValueFile = Annotated[
    str,
    *_parsed(
        _check_value_file, r"^[A-Za-z0-9._/<>-]{1,200}\.ya?ml$", "A Helm value file; <env> is the environment's name."
    ),
]
WebPath = Annotated[
    str,
    *text(
        r"/[A-Za-z0-9._~/-]*",
        "a path on the environment's url begins with / and holds letters, digits, . _ ~ - and /",
        "A path on the environment's url, such as /openapi.json.",
        200,
    ),
]
WebPattern = Annotated[
    str,
    *text(
        r"/[A-Za-z0-9._~/*%=&-]*",
        "a pattern of paths begins with / and holds letters, digits, . _ ~ - / % = & and *",
        "A pattern of paths on the environment's url, such as /logout*.",
        100,
    ),
]
TagPattern = Annotated[
    str,
    *text(
        r"[A-Za-z0-9_.*?{},-]{1,128}",
        "a pattern of tags holds letters, digits, . _ - and * ? {a,b}",
        "A pattern of tags, such as v*.",
    ),
]
Percent = Annotated[
    float,
    *_before(amounts.parse_percent, {"type": "number", "minimum": 50, "exclusiveMaximum": 100}),
]

"""The types of values that name a secret: like `fields`, for paths in Vault and for objects of Kubernetes."""

from __future__ import annotations

from typing import Annotated

from model.reading.fields import text

SecretPath = Annotated[
    str,
    *text(
        # They are sent to the source of a mirror or to an application: secrets of machines must not go there.
        r"(?!(?:ci|ci-env|env|operations|packages|review)(?:/|$))[a-z0-9-]+(?:/[a-z0-9-]+)*",
        "expected a path among the tenant's secrets, such as mirror/api: never a value, and not below ci, ci-env, "
        "env, operations, packages or review, which pipelines, workloads and readers of packages read",
        "A path among the tenant's secrets, such as mirror/api; never a value.",
        100,
    ),
]
#: `.` and `..` are no segments.
DeliveredPath = Annotated[
    str,
    *text(
        r"[A-Za-z0-9_-][A-Za-z0-9._-]*(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*",
        "expected a path below env/<environment>/ in Vault, such as database or app/smtp: letters, digits, dots, "
        "dashes and underscores; no part begins with a dot",
        "A path below env/<environment>/ among the tenant's secrets, such as app/smtp.",
        100,
    ),
]
DeliveredName = Annotated[
    str,
    *text(
        # The platform's own Secrets begin so.
        r"(?!usine-)[a-z0-9](?:[-.]?[a-z0-9])*",
        "the name of a Secret has up to 63 lower-case letters, digits, single dashes and dots, and does not begin with "
        "usine-",
        "The name of a Kubernetes Secret, such as database.",
        63,
    ),
]
SecretKey = Annotated[
    str,
    *text(
        # Kubernetes refuses `.` and what begins with `..`.
        r"(?!\.\.|\.$)[-._A-Za-z0-9]+",
        "a key of a Secret has letters, digits, dots, dashes and underscores, such as DB_PASSWORD",
        "A key of a Kubernetes Secret, such as DB_PASSWORD.",
        100,
    ),
]
#: External Secrets takes a dot for a step into the value of a field.
SecretField = Annotated[
    str,
    *text(
        r"[A-Za-z0-9_-]+",
        "the name of a field in Vault has letters, digits, dashes and underscores, such as password",
        "The name of a field of the secret in Vault, such as password.",
        100,
    ),
]
#: Joined with a credential generation to the name of a token.
ReaderName = Annotated[
    str,
    *text(
        r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*",
        "the name of a reader has up to 20 lower-case letters, digits and single dashes, a letter first",
        "The name of a reader of packages, such as portal.",
        20,
    ),
]
SecretName = Annotated[
    str,
    *text(
        r"(?!usine-)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?",
        "the name of a Secret has lower-case letters, digits and dashes, and does not begin with usine-",
        "The name of a Secret in the namespaces of the tenant; never a value.",
        63,
    ),
]

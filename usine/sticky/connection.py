"""The connection to the GitLab that runs this pipeline: its predefined variables, and a token of the environment."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import gitlab
import requests

from usine.clients.gitlab import gitlab_of_pipeline

if TYPE_CHECKING:
    from gitlab.v4.objects import Project  # takes a third of a second, and most commands write no comment

#: The variable with the token. It is never an argument: every process of the machine can read a command line.
TOKEN = "USINE_GITLAB_TOKEN"  # noqa: S105 - the name of a variable

_LONGEST_REASON = 200


class StickyError(Exception):
    """GitLab does not answer, or refuses. The text is one line for people, without a credential."""


class NoTokenError(StickyError):
    """The environment has no token, as is normal in the pipeline of a fork."""


@dataclass(frozen=True, slots=True)
class ProjectConnection:
    """One project, and the id of the user the token belongs to."""

    project: Project
    user: int


def connect(environment: Mapping[str, str], project: str) -> ProjectConnection:
    """Connect to a project by its id. Raises NoTokenError without a token, StickyError when GitLab refuses it."""
    token = environment.get(TOKEN, "").strip()
    if not token:
        raise NoTokenError(f"{TOKEN} is not set")
    if not re.fullmatch(r"[\x21-\x7e]+", token):
        raise StickyError(f"{TOKEN} holds something that is no token")
    # A comment or an issue that was written twice is found and removed: writes can be sent again.
    client = gitlab_of_pipeline(need(environment, "CI_API_V4_URL"), token, environment, retry_writes=True)
    with translated_errors("say whose token this is"):
        client.api.auth()
        user = client.api.user
        if user is None:
            raise StickyError("GitLab does not say whose token this is")
        return ProjectConnection(client.api.projects.get(project, lazy=True), int(user.id))


def need(environment: Mapping[str, str], name: str) -> str:
    """Return a predefined variable. Raises StickyError if it is not set."""
    value = environment.get(name, "").strip()
    if not value:
        raise StickyError(f"{name} is not set: this is for a pipeline of GitLab, which sets it")
    return value


@contextmanager
def translated_errors(purpose: str) -> Iterator[None]:
    """Turn the errors of GitLab's client into StickyError; `purpose` completes "GitLab would not …"."""
    try:
        yield
    except gitlab.GitlabError as error:
        status = f"HTTP {error.response_code}" if error.response_code else "an unusable answer"
        reason = " ".join(str(error.error_message).split())[:_LONGEST_REASON]
        raise StickyError(f"GitLab would not {purpose}: {status}, {reason}") from None
    except (requests.RequestException, OSError) as error:
        # Without the error's text, which may quote the header with the token.
        raise StickyError(f"GitLab could not be asked to {purpose}: {type(error).__name__}") from None

"""The GitLab a pipeline runs in, as its predefined variables say, spoken to with a token of the environment."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import gitlab
import requests
from gitlab.v4.objects import Project

#: Where the token is. Never an argument: a command line is seen by the whole machine.
TOKEN = "USINE_GITLAB_TOKEN"  # noqa: S105 - the name of a variable

_TIMEOUT = 30.0
_LONGEST_REASON = 200


class StickyError(Exception):
    """GitLab cannot be spoken to, or refused; the message is one line for people, without any credential."""


class NoTokenError(StickyError):
    """The environment holds no token: normal in the pipeline of a fork."""


@dataclass(frozen=True, slots=True)
class Connection:
    """One project, and the id of the user the token belongs to."""

    project: Project
    user: int


def connect(environment: Mapping[str, str], project: str) -> Connection:
    """Connect to a project by id. Raises NoTokenError without a token, StickyError when GitLab will not have it."""
    token = environment.get(TOKEN, "").strip()
    if not token:
        raise NoTokenError(f"{TOKEN} is not set")
    if not re.fullmatch(r"[\x21-\x7e]+", token):
        raise StickyError(f"{TOKEN} holds something that is no token")
    session = requests.Session()
    session.max_redirects = 0  # the token is for this server alone
    client = gitlab.Gitlab(
        url_of(environment),
        private_token=token,
        ssl_verify=environment.get("CI_SERVER_TLS_CA_FILE") or environment.get("SSL_CERT_FILE") or True,
        timeout=_TIMEOUT,
        retry_transient_errors=True,
        keep_base_url=True,
        session=session,
    )
    with speaking("say whose token this is"):
        client.auth()
        user = client.user
        if user is None:
            raise StickyError("GitLab does not say whose token this is")
        return Connection(client.projects.get(project, lazy=True), int(user.id))


def url_of(environment: Mapping[str, str]) -> str:
    """Return GitLab's address. Raises StickyError outside a pipeline."""
    return need(environment, "CI_API_V4_URL").rstrip("/").removesuffix("/api/v4")


def need(environment: Mapping[str, str], name: str) -> str:
    """Return a predefined variable. Raises StickyError when it is not there."""
    value = environment.get(name, "").strip()
    if not value:
        raise StickyError(f"{name} is not set: this is for a pipeline of GitLab, which sets it")
    return value


@contextmanager
def speaking(purpose: str) -> Iterator[None]:
    """Turn what goes wrong between us and GitLab into a StickyError; `purpose` completes "GitLab would not …"."""
    try:
        yield
    except gitlab.GitlabError as error:
        status = f"HTTP {error.response_code}" if error.response_code else "an unusable answer"
        reason = " ".join(str(error.error_message).split())[:_LONGEST_REASON]
        raise StickyError(f"GitLab would not {purpose}: {status}, {reason}") from None
    except (requests.RequestException, OSError) as error:
        # Without its text: that may quote a header, and the token is in one.
        raise StickyError(f"GitLab could not be asked to {purpose}: {type(error).__name__}") from None

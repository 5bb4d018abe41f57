"""Why a request has no usable answer."""

from __future__ import annotations


class ClientError(Exception):
    """A request that has no usable answer. The text is one line for people, without a credential.

    `reason` is the short form: ``HTTP 403``, or the kind of failure (``ConnectionError``). `status` is the HTTP status
    of a refusal, None without an answer.
    """

    def __init__(self, text: str, *, reason: str = "", status: int | None = None) -> None:
        """Keep the text and its short form, by default the text itself."""
        super().__init__(text)
        self.reason = reason or text
        self.status = status


class AbsentError(ClientError):
    """The system has no object at this path. For a list: it does not serve this list."""


class NoAnswerError(ClientError):
    """The system does not answer: no connection, or a time-out. `reason` is the kind of failure."""


def refusal(system: str, method: str, path: str, status: int, *, absent: bool = False) -> ClientError:
    """Return the error for an answer with an error status. It does not quote the answer, which may hold a secret."""
    kind = AbsentError if absent else ClientError
    return kind(f"{system} refused {method} {path}: HTTP {status}", reason=f"HTTP {status}", status=status)

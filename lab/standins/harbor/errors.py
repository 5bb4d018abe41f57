"""Harbor's error model: a code, a message, and the status of the code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from starlette.responses import JSONResponse

_STATUS: Final = {
    "BAD_REQUEST": 400,
    "DIGEST_INVALID": 400,
    "MANIFEST_INVALID": 400,
    "UNSUPPORTED": 400,
    "UNAUTHORIZED": 401,
    "FORBIDDEN": 403,
    "DENIED": 403,
    "NOT_FOUND": 404,
    "METHOD_NOT_ALLOWED": 405,
    "CONFLICT": 409,
    "PRECONDITION": 412,
    "PROJECTPOLICYVIOLATION": 412,
    "VIOLATE_FOREIGN_KEY_CONSTRAINT": 412,
    "REQUEST_ENTITY_TOO_LARGE": 413,
    "UNPROCESSABLE_ENTITY": 422,
    "UNKNOWN": 500,
    "BAD_GATEWAY": 502,
}


class HarborError(Exception):
    """An error answer. The request's writes are undone."""

    def __init__(self, code: str, message: str) -> None:
        """Store one of Harbor's codes and the message for the client."""
        super().__init__(message)
        self.code = code
        self.message = message

    @property
    def status(self) -> int:
        """HTTP status of the code."""
        return _STATUS[self.code]

    def response(self, headers: Mapping[str, str] | None = None) -> JSONResponse:
        """Return the answer."""
        return JSONResponse({"errors": [{"code": self.code, "message": self.message}]}, self.status, headers)


def bad_request(message: str) -> HarborError:
    """400."""
    return HarborError("BAD_REQUEST", message)


def unauthorized(message: str = "unauthorized") -> HarborError:
    """401."""
    return HarborError("UNAUTHORIZED", message)


def forbidden(message: str = "forbidden") -> HarborError:
    """403."""
    return HarborError("FORBIDDEN", message)


def denied(message: str) -> HarborError:
    """403 with the code DENIED, for registry clients."""
    return HarborError("DENIED", message)


def not_found(what: str) -> HarborError:
    """404: `not_found("project x")`."""
    return HarborError("NOT_FOUND", f"{what} not found")


def unknown() -> HarborError:
    """500: Harbor's answer to an unexpected case, of which only its log has details."""
    return HarborError("UNKNOWN", "internal server error")


def conflict(message: str) -> HarborError:
    """409."""
    return HarborError("CONFLICT", message)


def precondition(message: str) -> HarborError:
    """412."""
    return HarborError("PRECONDITION", message)


def policy_violation(message: str) -> HarborError:
    """412, a project's deployment security."""
    return HarborError("PROJECTPOLICYVIOLATION", message)


def unprocessable(message: str) -> HarborError:
    """422, a parameter of a wrong type."""
    return HarborError("UNPROCESSABLE_ENTITY", message)

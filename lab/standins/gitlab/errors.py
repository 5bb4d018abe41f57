"""Error answers with GitLab's messages."""

from __future__ import annotations

from collections.abc import Mapping


class ApiError(Exception):
    """An answer with this status and JSON body. Raising it undoes the writes of the request."""

    def __init__(self, status: int, body: object, headers: Mapping[str, str] | None = None) -> None:
        """Store the answer."""
        super().__init__(f"{status}")
        self.status = status
        self.body = body
        self.headers = dict(headers or {})


def not_found(what: str = "") -> ApiError:
    """404: `what` is a kind, such as `Project`. Also used for objects that are not visible."""
    return ApiError(404, {"message": f"404 {what} Not Found" if what else "404 Not Found"})


def unauthorized() -> ApiError:
    """401: no token, or an unknown one."""
    return ApiError(401, {"message": "401 Unauthorized"})


def invalid_token(description: str) -> ApiError:
    """401: a token that is no longer valid."""
    return ApiError(401, {"error": "invalid_token", "error_description": description})


def insufficient_scope(*scopes: str) -> ApiError:
    """403: the token has none of these scopes."""
    described = "The request requires higher privileges than provided by the access token."
    return ApiError(403, {"error": "insufficient_scope", "error_description": described, "scope": " ".join(scopes)})


def forbidden(reason: str = "") -> ApiError:
    """403: visible, but not allowed."""
    return ApiError(403, {"message": f"403 Forbidden - {reason}" if reason else "403 Forbidden"})


def bad_request(reason: str = "") -> ApiError:
    """400 with a text."""
    return ApiError(400, {"message": f"400 Bad request - {reason}" if reason else "400 Bad request"})


def parameter(*errors: str) -> ApiError:
    """400: missing or invalid parameters, such as `name is missing`."""
    return ApiError(400, {"error": ", ".join(errors)})


def invalid(**errors: list[str]) -> ApiError:
    """400: validation errors of a model, by attribute: `invalid(name=["has already been taken"])`."""
    return ApiError(400, {"message": errors})


def refused(message: object, status: int = 400) -> ApiError:
    """Any other message."""
    return ApiError(status, {"message": message})


def conflict(message: str) -> ApiError:
    """409."""
    return ApiError(409, {"message": message})

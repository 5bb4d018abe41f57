"""Git over HTTP at `/<full path>.git`: clone, fetch and push by the `git` program, with GitLab's rules and messages.

A push is checked as a whole before it is stored: one forbidden ref declines all, as in GitLab.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse

from lab.standins.gitlab import access, git_push
from lab.standins.gitlab.actors import Actor, basic, resolve_login
from lab.standins.gitlab.git import ZERO, BareRepository, environment
from lab.standins.gitlab.push_options import answer as push_options_answer
from lab.standins.gitlab.repositories import Update, notify, repository
from lab.standins.gitlab.routing import Router
from lab.standins.gitlab.site import GitLabSite
from lab.standins.needs import Need, needed_by
from lab.standins.store import Document

router = Router("git")

_IN_MEMORY: Final = 2**20
_CHUNK: Final = 2**16
_SERVICES: Final = frozenset({"git-upload-pack", "git-receive-pack"})
_NO_STORE: Final = {"Cache-Control": "no-cache, max-age=0, must-revalidate", "Pragma": "no-cache"}
_DENIED: Final = (
    "HTTP Basic: Access denied. If a password was provided for Git authentication, the password was incorrect or "
    "you're required to use a token instead of a password. If a token was provided, it was either incorrect, expired, "
    "or improperly scoped."
)
_UNSEEN: Final = "The project you were looking for could not be found or you don't have permission to view it."
#: Each line of the file `USINE_VERDICTS` has the refusals of a plain and of a forced push, and the ref.
_HOOK: Final = r"""#!/bin/sh
zero=0000000000000000000000000000000000000000
while read -r old new ref; do
  while IFS='|' read -r plain forced name; do
    [ "$name" = "$ref" ] || continue
    refusal=$plain
    if [ "$forced" != "$plain" ] && [ "$old" != $zero ] && [ "$new" != $zero ] &&
      ! git merge-base --is-ancestor "$old" "$new" 2>/dev/null; then
      refusal=$forced
    fi
    if [ -n "$refusal" ]; then
      echo "GitLab: $refusal" >&2
      exit 1
    fi
  done <"$USINE_VERDICTS"
done
"""


class _GitRefusal(Exception):  # noqa: N818 - an answer
    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.response = PlainTextResponse(text, status)
        if status == 401:  # noqa: PLR2004 - HTTP status, unauthorised
            self.response.headers["WWW-Authenticate"] = 'Basic realm="GitLab"'


@dataclass(frozen=True, slots=True)
class _GitRequest:
    """An allowed request: the actor, the project and the service."""

    site: GitLabSite
    actor: Actor | None
    project: Document
    repository: BareRepository


def install(site: GitLabSite) -> None:
    """Write the hook that checks pushes."""
    folder = site.data / "hooks"
    folder.mkdir(mode=0o700, exist_ok=True)
    hook = folder / "pre-receive"
    hook.write_text(_HOOK, encoding="ascii")
    hook.chmod(0o700)


@router.fastapi.get("/{path:path}/info/refs", include_in_schema=False)
@needed_by(Need.CHAIN, Need.PIPELINE, trace="clone")
async def _advertise(request: Request, path: str) -> Response:
    """Advertise the refs."""
    service = request.query_params.get("service", "")
    if service not in _SERVICES:
        return PlainTextResponse("Not found", 404)
    if not path.endswith(".git"):
        return RedirectResponse(f"/{path}.git/info/refs?service={service}", 301)
    try:
        visit = await run_in_threadpool(_enter, request, path, service)
    except _GitRefusal as refused:
        return refused.response
    return await run_in_threadpool(_advertised, visit, service, request.headers.get("git-protocol", ""))


@router.fastapi.post("/{path:path}/git-upload-pack", include_in_schema=False)
@needed_by(Need.CHAIN, Need.PIPELINE, trace="clone")
async def _fetch(request: Request, path: str) -> Response:
    """Send the objects that a client lacks."""
    try:
        visit = await run_in_threadpool(_enter, request, path, "git-upload-pack")
        body = await _body(request)
    except _GitRefusal as refused:
        return refused.response
    content = _packed(visit, body, request.headers.get("git-protocol", ""))
    kind = "application/x-git-upload-pack-result"
    return StreamingResponse(content, media_type=kind, headers=_NO_STORE)


@router.fastapi.post("/{path:path}/git-receive-pack", include_in_schema=False)
@needed_by(Need.CHAIN, Need.PIPELINE, trace="push")
async def _push(request: Request, path: str) -> Response:
    """Receive a push, or decline it."""
    try:
        visit = await run_in_threadpool(_enter, request, path, "git-receive-pack")
        body = await _body(request)
    except _GitRefusal as refused:
        return refused.response
    return await run_in_threadpool(_received, visit, body)


# Access control -------------------------------------------------------------------------------------------------------


def _enter(request: Request, path: str, service: str) -> _GitRequest:
    site: GitLabSite = request.app.state.site
    writes = service == "git-receive-pack"
    project = access.find_project(site, path.removesuffix(".git")) if path.endswith(".git") else None
    if project is not None and project["route"] != path.removesuffix(".git").lower():
        project = None  # a number is not a path
    given = basic(request)
    if given is None:
        if writes or project is None or project["visibility"] != "public":
            raise _GitRefusal(401, _DENIED)
        return _GitRequest(site, None, project, repository(site, project))
    actor = resolve_login(site, *given)
    if actor is None or (actor.kind == "job" and given[0] != "gitlab-ci-token"):
        raise _GitRefusal(401, _DENIED)
    return _GitRequest(site, actor, *_allowed(site, actor, project, writes=writes))


def _allowed(
    site: GitLabSite, actor: Actor, project: Document | None, *, writes: bool
) -> tuple[Document, BareRepository]:
    reads = ("api", "read_repository", "write_repository")
    if actor.kind != "job" and not actor.may(*(reads[::2] if writes else reads)):
        raise _GitRefusal(
            403, "You are not allowed to upload code." if writes else "You are not allowed to download code."
        )
    level = access.project_level(site, actor, project) if project is not None else access.NONE
    if project is not None and level > access.NONE and not access.accepts_token(site, actor, project):
        raise _GitRefusal(403, "Authentication by CI/CD job token not allowed from this project.")
    if project is None or not access.sees_project(site, actor, project):
        raise _GitRefusal(404, _UNSEEN)
    if actor.kind == "job" and writes:
        own = actor.project_id == project["id"] and project.get("ci_push_repository_for_job_token_allowed")
        if not own:
            raise _GitRefusal(403, "You are not allowed to upload code.")
    own_level = git_push.level(site, actor, project)
    if not writes and own_level < access.REPORTER and project["visibility"] == "private":
        raise _GitRefusal(403, "You are not allowed to download code from this project.")
    if writes and own_level < access.DEVELOPER:
        raise _GitRefusal(403, git_push.NO_PUSH)
    if writes and project.get("archived"):
        raise _GitRefusal(403, "You can't push code to an archived project.")
    if writes and project.get("marked_for_deletion_on"):
        raise _GitRefusal(403, "You can't push code to a project that is scheduled for deletion.")
    return project, repository(site, project)


# Running git ----------------------------------------------------------------------------------------------------------


async def _body(request: Request) -> IO[bytes]:
    """Return the request's body in a file, decompressed."""
    file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - the reader closes it
    packed = request.headers.get("content-encoding") in {"gzip", "x-gzip"}
    unpack = zlib.decompressobj(zlib.MAX_WBITS | 16) if packed else None
    try:
        async for chunk in request.stream():
            file.write(unpack.decompress(chunk) if unpack else chunk)
    except zlib.error:
        raise _GitRefusal(400, "Bad Request: not gzip") from None
    file.seek(0)
    return file


def _start(
    visit: _GitRequest,
    service: str,
    options: list[str],
    given: IO[bytes] | None,
    more: dict[str, str],
    flags: list[str],
) -> subprocess.Popen[bytes]:
    if given is not None:
        given.fileno()  # moves it from memory to a file, which a process can read
    return subprocess.Popen(
        ["git", *flags, service.removeprefix("git-"), "--stateless-rpc", *options, str(visit.repository.path)],
        stdin=subprocess.DEVNULL if given is None else given,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment(visit.repository.path, more),
    )


def _protocol(text: str) -> dict[str, str]:
    return {"GIT_PROTOCOL": text} if text and text.isascii() and text.isprintable() else {}


def _advertised(visit: _GitRequest, service: str, protocol: str) -> Response:
    more = _protocol(protocol)
    process = _start(visit, service, ["--advertise-refs"], None, more, [])
    content, _ = process.communicate()
    if not ("version=2" in protocol and service == "git-upload-pack"):
        line = f"# service={service}\n"
        content = f"{len(line) + 4:04x}{line}0000".encode() + content
    return Response(content, media_type=f"application/x-{service}-advertisement", headers=_NO_STORE)


def _packed(visit: _GitRequest, body: IO[bytes], protocol: str) -> Iterator[bytes]:
    with contextlib.closing(body), _start(visit, "git-upload-pack", [], body, _protocol(protocol), []) as process:
        try:
            assert process.stdout is not None  # noqa: S101 - piped
            while chunk := process.stdout.read(_CHUNK):
                yield chunk
        finally:
            process.kill()  # the client disconnected


def _received(visit: _GitRequest, body: IO[bytes]) -> Response:
    site, project, actor = visit.site, visit.project, visit.actor
    assert actor is not None  # noqa: S101 - pushes need a log-in
    with contextlib.closing(body), tempfile.TemporaryDirectory(prefix="usine-push-") as folder:
        try:
            updates, push_options = _commands(body)
        except ValueError:
            return PlainTextResponse("Bad Request: not a push", 400)
        body.seek(0)
        os.lseek(body.fileno(), 0, os.SEEK_SET)
        found = git_push.verdicts(site, actor, project, visit.repository, updates)
        file = Path(folder) / "verdicts"
        lines = [f"{plain}|{forced}|{update.ref}\n" for update, plain, forced in found]
        file.write_text("".join(lines), encoding="utf-8", errors="surrogateescape")
        hooks = ["-c", f"core.hooksPath={site.data / 'hooks'}"]
        process = _start(visit, "git-receive-pack", [], body, {"USINE_VERDICTS": str(file)}, hooks)
        content, _ = process.communicate()
    moved = [
        update
        for update in updates
        if update.old != update.new and (visit.repository.ref(update.ref) or ZERO) == update.new
    ]
    if actor.kind == "job":  # otherwise jobs could start jobs without end
        push_options = [*push_options, "ci.no_pipeline"]
    if moved:
        with site.store.transaction():
            notify(site, project, actor.user, moved, push_options)
            said = push_options_answer(site, project, actor, moved, push_options)
        content = _with_message(content, said)
    return Response(content, media_type="application/x-git-receive-pack-result", headers=_NO_STORE)


def _with_message(content: bytes, said: str) -> bytes:
    """Return an answer that shows a text to the user: on the band for messages, before the final flush."""
    if not said or not content.endswith(b"0000"):
        return content
    lines = f"\n{said}".encode()
    packets = (lines[start : start + _CHUNK // 2] for start in range(0, len(lines), _CHUNK // 2))
    return content[:-4] + b"".join(b"%04x\x02%b" % (len(part) + 5, part) for part in packets) + b"0000"


def _commands(body: IO[bytes]) -> tuple[list[Update], list[str]]:
    """Return the commands of a push, and its options. Raises ValueError if it is malformed."""
    updates, capabilities = [], ""
    for line in _lines(body):
        command, _, rest = line.partition(b"\0")
        capabilities = capabilities or rest.decode(errors="replace")
        text = command.decode(errors="surrogateescape").rstrip("\n")
        if text.startswith("shallow "):
            continue
        old, new, ref = text.split(" ", 2)
        updates.append(Update(ref, old, new))
    options = []
    if "push-options" in capabilities.split():
        options = [line.decode(errors="replace").rstrip("\n") for line in _lines(body)]
    return updates, options


def _lines(body: IO[bytes]) -> Iterator[bytes]:
    """Return the pkt-lines up to a flush."""
    while head := body.read(4):
        length = int(head, 16)
        if length == 0:
            return
        if length < 4:  # noqa: PLR2004 - other characters are not allowed
            raise ValueError("not a line")
        yield body.read(length - 4)

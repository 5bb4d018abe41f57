"""Makes missing parts, several at a time."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from lab.errors import LabError
from lab.parts.cache import Cache, remove
from lab.parts.part import Part
from lab.parts.prerequisites import lacking
from lab.parts.processes import CancelledError, Children, CommandRunner
from lab.parts.releases import UnreachableError
from lab.reporter import Reporter, duration

#: Concurrent compilations. Each uses every processor and up to 2 GB of memory.
COMPILATIONS = 2


def select(parts: Sequence[Part], names: Collection[str] | None) -> list[Part]:
    """Return the parts with these names and the parts that they need, in the order of `parts`.

    Without names, it returns all parts except those made on request. Raises LabError for an unknown name.
    """
    known = [part.name for part in parts]
    if unknown := sorted(set(names or ()) - set(known)):
        raise LabError(f"no such part: {', '.join(unknown)} (known parts: {', '.join(known)})")
    if names is None:
        return [part for part in parts if not part.on_request]
    wanted = set(names).union(*(part.needs for part in parts if part.name in names))
    return [part for part in parts if part.name in wanted]


def missing_tools(parts: Sequence[Part], cache: Cache) -> list[str]:
    """Return what the machine lacks to run these parts and to make those that are not in the cache, one line each."""
    commands: set[str] = set()
    for part in parts:
        if part.unneeded():
            continue
        commands.update(part.runs_on)
        if not cache.has(part):
            commands.update(part.recipe.tools)
    return lacking(commands)


def install(parts: Sequence[Part], cache: Cache, reporter: Reporter) -> dict[str, Path]:
    """Make the parts that are not in the cache and return all folders by name, without parts that are not needed.

    Before it starts, it raises LabError with everything that the machine lacks; later, with the failed parts and the
    ends of their logs. The first failure stops the other parts. Finished parts stay in the cache.
    """
    if lacks := missing_tools(parts, cache):
        raise LabError("this machine lacks:\n" + "\n".join(f"  {line}" for line in lacks))
    cache.prepare()
    started = time.monotonic()
    folders: dict[str, Path] = {}  # threads add their part and read the parts that it needs
    todo: list[Part] = []
    for part in parts:
        if reason := part.unneeded():
            reporter.done(part.name, reason)
        elif cache.has(part):
            folders[part.name] = cache.folder(part)
        else:
            todo.append(part)
    if todo:
        _make_all(todo, cache, reporter, folders)
        reporter.note(f"parts ready in {duration(time.monotonic() - started)}, kept in {cache.root}")
    return folders


def _make_all(parts: Sequence[Part], cache: Cache, reporter: Reporter, folders: dict[str, Path]) -> None:
    children = Children()
    work = _Work(cache, reporter, children, folders)
    with ThreadPoolExecutor(max_workers=len(parts), thread_name_prefix="part") as pool, _terminated_as_interrupted():
        futures: dict[Future[None], Part] = {}
        try:  # an interrupt can arrive between two submits
            for part in parts:
                futures[pool.submit(work.make, part)] = part
            _wait(futures, work.repeat_progress)
        finally:  # after a failure or Ctrl-C, the pool must stop
            children.cancel()
    errors = [(part, future.exception()) for future, part in futures.items()]
    own = [(part, error) for part, error in errors if error and not isinstance(error, CancelledError)]
    for _part, error in own:
        if not isinstance(error, LabError):
            raise error
    if own:
        raise LabError("\n".join(f"{part.name} could not be made: {error}" for part, error in own))


def _wait(futures: Collection[Future[None]], repeat_progress: Callable[[], None]) -> None:
    """Wait until all are done or one failed, and call `repeat_progress` regularly.

    Short waits are also needed because Python handles signals only between them.
    """
    pending = set(futures)
    while pending:
        done, pending = wait(pending, timeout=0.5, return_when=FIRST_COMPLETED)
        if any(future.exception() for future in done):
            return
        repeat_progress()


@dataclass(frozen=True, slots=True)
class _Work:
    cache: Cache
    reporter: Reporter
    children: Children
    #: Folders of finished parts, by name.
    folders: dict[str, Path]
    slots: threading.Semaphore = field(default_factory=lambda: threading.BoundedSemaphore(COMPILATIONS))
    #: Last progress text of each running part.
    messages: dict[str, str] = field(default_factory=dict)

    def _progress(self, part: Part, message: str) -> None:
        self.messages[part.name] = message
        self.reporter.progress(part.name, message)

    def repeat_progress(self) -> None:
        """Repeat the progress of running parts: a linker prints nothing for minutes, and users would think it hangs."""
        for name, message in list(self.messages.items()):
            self.reporter.progress(name, message)

    def make(self, part: Part) -> None:
        while not all(name in self.folders for name in part.needs):
            self.children.check()
            self.children.cancelled.wait(0.2)
        self.reporter.start(part.name, f"{part.version}: {part.about}")
        try:
            try:
                folder, done = self._take(part)
            except UnreachableError as error:
                folder, done = self._take(self._without_release(part, error))
        except CancelledError:
            self.reporter.failed(part.name, "cancelled")
            raise
        except LabError as error:
            self.reporter.failed(part.name, str(error).splitlines()[0])
            raise
        except OSError as error:
            why = f"{error.strerror or error}: {error.filename or self.cache.root}"
            self.reporter.failed(part.name, why)
            raise LabError(why) from None
        finally:
            self.messages.pop(part.name, None)
        self.folders[part.name] = folder
        self.reporter.done(part.name, done)

    def _take(self, part: Part) -> tuple[Path, str]:
        """Return the folder of the part, and what was done to obtain it."""
        with self.cache.locked(
            part,
            waiting=lambda: self._progress(part, "another process makes it: waiting"),
            cancelled=self.children.cancelled,
        ):
            if self.cache.has(part):
                return self.cache.folder(part), f"{part.version} made by another process"
            return self._under_lock(part), f"{part.version} ready"

    def _without_release(self, part: Part, error: UnreachableError) -> Part:
        """Return the part to build instead of a failed download. Raises LabError if the machine lacks the tools."""
        if part.fallback is None:
            raise error
        if lacks := missing_tools([part.fallback], self.cache):
            raise LabError(f"{error}; to build it instead, this machine lacks:\n" + "\n".join(f"  {x}" for x in lacks))
        self.reporter.note(f"{part.name}: {error}; it is built instead")
        return part.fallback

    def _under_lock(self, part: Part) -> Path:
        log = self.cache.log(part)
        log.write_text("", encoding="utf-8")
        runner = CommandRunner(self.children, log, lambda message: self._progress(part, message), self.folders)
        staged = self.cache.staging(part)
        try:
            part.recipe.prepare(staged, runner)
            if part.recipe.compiles:
                with self._slot(part):
                    part.recipe.finish(staged, runner)
            else:
                part.recipe.finish(staged, runner)
            return self.cache.install(part, staged)
        finally:
            remove(staged)

    @contextmanager
    def _slot(self, part: Part) -> Iterator[None]:
        if not self.slots.acquire(blocking=False):
            self._progress(part, "downloaded; waiting for a processor")
            while not self.slots.acquire(timeout=0.5):
                self.children.check()
        try:
            yield
        finally:
            self.slots.release()


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Handle SIGTERM and SIGHUP like Ctrl-C, so that no compiler keeps running."""
    if threading.current_thread() is not threading.main_thread():  # Python sets signal handlers only there
        yield
        return

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

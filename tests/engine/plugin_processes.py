"""The environment of the provider plugins' processes while the engine runs."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pulumi_facts.credentials import CREDENTIALS

#: `pulumi-resource-gitlab`, `python -m lab.plugins.gitlab`, `python -m pulumi.dynamic`.
_PLUGIN = re.compile(r"pulumi-resource-([a-z]+)|lab\.plugins\.([a-z]+)|pulumi[./](dynamic)")
#: `pulumi-resource-pulumi-python` is a script that becomes the process of the dynamic provider a moment later.
_SCRIPT = "pulumi"


@contextmanager
def watched() -> Iterator[dict[str, set[str]]]:
    """Collect, by plugin, the credentials in the environment of this process's descendants."""
    found: dict[str, set[str]] = {}
    over = threading.Event()
    thread = threading.Thread(target=_watch, args=(found, over))
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()


def _watch(found: dict[str, set[str]], over: threading.Event) -> None:
    while not over.wait(0.2):
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                plugin = _PLUGIN.search(folder.joinpath("cmdline").read_text(errors="replace"))
                if plugin is not None and _is_ours(folder):
                    variables = folder.joinpath("environ").read_text(errors="replace").split("\0")
                    values = dict(variable.partition("=")[::2] for variable in variables)
                    set_ = {name for name in CREDENTIALS if values.get(name)}
                    name = next(filter(None, plugin.groups()))
                    found.setdefault("dynamic" if name == _SCRIPT else name, set()).update(set_)
            except OSError:
                continue  # it has ended


def _is_ours(folder: Path) -> bool:
    pid = int(folder.name)
    while pid > 1:
        pid = int(Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[1])
        if pid == os.getpid():
            return True
    return False

"""The PATH and the environment with which a test runs the scripts of the catalogue's jobs.

In production the tools and these variables are those of the tools image (tools/Containerfile). docs/parts.md has the
table of the tools, docs/tools-image.md what each of them needs.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shlex
import shutil
import sys
from collections.abc import Collection, Mapping
from pathlib import Path

from lab import parts
from lab.environment import openbao
from lab.errors import LabError
from lab.parts.job_tools import JOB_TOOLS

#: Parts whose programs are on a job's PATH: those made on request, and one of the platform's own.
NAMES = (*(part.name for part in JOB_TOOLS), "sonar-scanner")

_TOOLS = Path(__file__).resolve().parents[2] / "tools"
_CONTAINERFILE = _TOOLS / "Containerfile"
#: The command `usine-ci` as pip would write it. `-I`: neither the job's folder nor its variables change what is loaded.
_USINE_CI = """#!/bin/sh
exec {python} -I -c 'import sys; sys.path.insert(0, sys.argv.pop(1))
from usine_ci.cli import main; sys.exit(main())' {tools} "$@"
"""


def environment(home: Path, names: Collection[str] | None = None) -> dict[str, str]:
    """Return the environment of a job with `home` as its HOME, and write the files that its tools read there.

    It makes the parts that are missing (`names`: only these of NAMES; a part is on the PATH only if it was asked for).
    The machine's own PATH comes last: git, bash and the languages are taken from there. Nothing else of this process's
    environment is in it, so no credential and no setting of the machine reaches a job. Raises LabError.
    """
    asked = NAMES if names is None else tuple(names)
    if unknown := sorted(set(asked) - set(NAMES)):
        raise LabError(f"no such tool: {', '.join(unknown)} (tools: {', '.join(NAMES)})")
    folders = parts.ensure(asked)
    home.mkdir(parents=True, exist_ok=True)
    own = home / ".usine"
    own.mkdir(exist_ok=True)
    command = own / "usine-ci"
    command.write_text(
        _USINE_CI.format(python=shlex.quote(sys.executable), tools=shlex.quote(str(_TOOLS))), encoding="utf-8"
    )
    command.chmod(0o755)
    containers = home / ".config" / "containers"
    shutil.copytree(_TOOLS / "etc" / "containers", containers, dirs_exist_ok=True)
    (containers / "containers.conf").write_text(_containers(), encoding="utf-8")
    storage = containers / "storage.conf"
    settings = storage.read_text(encoding="utf-8").replace("[storage]\n", f"[storage]\n{_folders(home)}", 1)
    storage.write_text(settings, encoding="utf-8")
    searched = [own, openbao().parent, *(_programs(folders[name]) for name in asked)]
    return {
        **image_variables(),
        "HOME": str(home),
        "PATH": os.pathsep.join((*map(str, searched), os.environ.get("PATH", os.defpath))),
        "LANG": "C.UTF-8",
        "CONTAINERS_STORAGE_CONF": str(storage),
    }


def image_variables() -> Mapping[str, str]:
    """Return the variables that the tools image sets: `ENV` of the last stage of its Containerfile."""
    text = _CONTAINERFILE.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = re.findall(r"(?m)^ENV (.+)$", text[text.rindex("\nFROM ") :])
    return dict(word.split("=", 1) for line in lines for word in shlex.split(line))


def _containers() -> str:
    """Return buildah's settings of this machine.

    The image has the helper programs where buildah looks by default. As root, buildah raises the limits of a RUN step
    above those of the machine, which needs CAP_SYS_RESOURCE; a container may not have it.
    """
    limits = (("nofile", resource.RLIMIT_NOFILE), ("nproc", resource.RLIMIT_NPROC))
    hard = [(name, resource.getrlimit(number)[1]) for name, number in limits]
    ulimits = [f"{name}={limit}:{limit}" for name, limit in hard if limit != resource.RLIM_INFINITY]
    return (
        f"[containers]\ndefault_ulimits = {json.dumps(ulimits)}\n"
        f"[engine]\nhelper_binaries_dir = [{json.dumps(str(_TOOLS / 'libexec'))}]\n"
    )


def _folders(home: Path) -> str:
    """Return buildah's folders: of the job, also for root."""
    graph, run = (json.dumps(str(home / ".local" / "share" / "containers" / name)) for name in ("storage", "run"))
    return f"graphroot = {graph}\nrunroot = {run}\n"


def _programs(folder: Path) -> Path:
    return folder / "bin" if (folder / "bin").is_dir() else folder

"""Writes the resources of the Pulumi Kubernetes Operator for a fleet in a folder of its own."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.fleet.fake import Fake
from tests.spec.helpers import ROOT

IMAGE = "registry.example.fr/platform/ci@sha256:" + "0" * 64
REPOSITORY = "https://gitlab.example.fr/platform/usine.git"
Stacks = Mapping[str, Mapping[str, Any]]


def log_in_script(folder: Path, identity: str) -> str:
    """Return the log-in of a workspace with this token; the volumes of the pod are below `folder`."""
    script = (ROOT / "bin" / "operator" / "log-in").read_text(encoding="utf-8")
    for name in ("credentials", "identity"):
        (folder / name).mkdir(exist_ok=True)
        script = script.replace(f"/{name}/", f"{folder}/{name}/")
    (folder / "identity" / "vault").write_text(identity, encoding="utf-8")
    return script


def git(fleet: Fake, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=fleet.root, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(fleet: Fake) -> str:
    """Commit something, and return the commit."""
    if not (fleet.root / ".git").exists():
        git(fleet, "init", "--quiet")
    git(fleet, "-c", "user.name=t", "-c", "user.email=t@t", "commit", "--quiet", "--allow-empty", "-m", "x")
    return git(fleet, "rev-parse", "HEAD")


def arguments(fleet: Fake, *more: str, run: str = "1") -> list[str]:
    words = ["--out", str(fleet.root / "stacks.yaml"), "--run", run, "--repository", REPOSITORY, "--image", IMAGE]
    return [*words, "--namespace", "usine", *more]


def write(fleet: Fake, *more: str, run: str = "1") -> Stacks:
    """Write the resources, and return them by the name of the stack."""
    out = fleet.root / "stacks.yaml"
    out.unlink(missing_ok=True)
    assert fleet.run("operator", *arguments(fleet, *more, run=run)) == 0
    documents = list(yaml.safe_load_all(out.read_text(encoding="utf-8")))
    assert {document["apiVersion"] for document in documents} == {"pulumi.com/v1"}
    return {document["spec"]["stack"]: document for document in documents}


def commits(stacks: Stacks) -> dict[str, str]:
    return {name: stack["spec"]["commit"] for name, stack in stacks.items()}


def variables(stack: Mapping[str, Any]) -> dict[str, str]:
    return {one["name"]: one["value"] for one in stack["spec"]["workspaceTemplate"]["spec"]["env"]}

"""Manifests of an infra repository, as Argo CD makes them for each environment: a Helm chart, or plain manifests."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from usine_ci.problems import Problem, RefusedError
from usine_ci.promotions import DIRECT, Image, Promotion, parse_promotions
from usine_ci.text import clean

#: Stands for the digest of an application that was never promoted.
NO_DIGEST: Final = f"sha256:{'0' * 64}"
_KUSTOMIZE: Final = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_PLAIN: Final = (".yaml", ".yml", ".json")

#: Returns a file of the branch of an environment; None if there is none.
Deployed = Callable[[str, str], "str | None"]


@dataclass(frozen=True, slots=True)
class Source:
    """What Argo CD deploys: the folder of the chart, its value files, and the promotions into it.

    `tenant` is the slug, `repository` the name of the infra repository, `registry` the host of the platform's registry.
    With `each_folder`, every folder directly below `folder` is an application. `chart` names a chart that is elsewhere;
    then the repository has its value files only. `parameters` are Helm parameters.
    """

    tenant: str
    repository: str
    folder: str
    value_files: tuple[str, ...]
    environments: tuple[str, ...]
    promotions: tuple[Promotion, ...]
    registry: str
    parameters: Mapping[str, str | int | bool] = field(default_factory=dict)
    each_folder: bool = False
    chart: str = ""

    def release(self, environment: str) -> str:
        """Return the name of the Helm release, which Argo CD gives to the chart."""
        stated = self.value_files or self.parameters or any(p.environment == environment for p in self.promotions)
        return self.repository if stated else f"{self.tenant}-{environment}--{self.repository}"


def source_of(environ: Mapping[str, str] = os.environ) -> Source:
    """Return the source from the job's variables. Raises RefusedError if one is missing."""
    names = ("USINE_TENANT", "CI_PROJECT_NAME", "USINE_DEPLOY_PATH", "USINE_ENVIRONMENTS")
    if missing := [name for name in names if name not in environ]:
        raise RefusedError(
            f"the job has no {', '.join(missing)}: the platform sets them for repositories of kind infra"
        )
    tenant, repository, folder, environments = (environ[name] for name in names)
    return Source(
        tenant,
        repository,
        folder,
        tuple(environ.get("USINE_VALUE_FILES", "").split()),
        tuple(environments.split()),
        tuple(parse_promotions(environ.get("USINE_PROMOTIONS", ""))),
        environ.get("REGISTRY_HOST", "registry.invalid"),
        json.loads(environ.get("USINE_PARAMETERS", "{}")),
        environ.get("USINE_EACH_FOLDER") == "true",
        environ.get("USINE_CHART", ""),
    )


def render(source: Source, root: Path, environment: str, deployed: Deployed) -> str | None:
    """Return the manifests of an environment; None if the folder has nothing to deploy yet.

    `deployed` reads a file of the branch that the environment follows. Raises RefusedError with all problems.
    """
    folder = root / source.folder
    if source.chart:
        _values_exist(source, root, environment)
        return None
    if source.each_folder:
        return _each(source, root, lambda one: render(one, root, environment, deployed))
    if (folder / "Chart.yaml").is_file():
        return _template(source, root, environment, deployed)
    if any((folder / name).is_file() for name in _KUSTOMIZE):
        raise RefusedError(f"{source.folder}: Kustomize is not rendered here: deploy a Helm chart or plain manifests")
    if not folder.is_dir():
        return None
    files = [one for one in sorted(folder.iterdir()) if one.is_file() and one.suffix in _PLAIN]
    files = [one for one in files if not one.name.startswith(".")]  # the CI file, where the folder is the top
    if not files:
        return None
    if any(promotion.environment == environment for promotion in source.promotions):
        raise RefusedError(f"{source.folder}: promotions need a Helm chart, and there is no Chart.yaml")
    return "".join(f"---\n# Source: {one.relative_to(root)}\n{one.read_text(encoding='utf-8')}\n" for one in files)


def applications(source: Source, root: Path) -> Sequence[Source]:
    """Return the source of each application: of every folder that is not hidden, where each is one."""
    folder = root / source.folder
    if not source.each_folder:
        return [source]
    names = sorted(one.name for one in folder.iterdir() if one.is_dir()) if folder.is_dir() else []
    return [
        replace(
            source,
            folder=f"{source.folder}/{name}".removeprefix("./"),
            # The name of the application, or of its Helm release where the tenant file states value files.
            repository=name.lower() if source.value_files or source.parameters else f"{source.repository}.{name}",
            each_folder=False,
        )
        for name in names
        if not name.startswith(".")
    ]


def _each(source: Source, root: Path, made: Callable[[Source], str | None]) -> str | None:
    """Return the manifests of all applications, or the problems of all; None if there is nothing to deploy."""
    texts: list[str] = []
    problems: list[Problem] = []
    for one in applications(source, root):
        try:
            text = made(one)
        except RefusedError as refused:
            problems += [Problem(one.folder, 0, 0, line) for line in refused.lines]
        else:
            texts += [text] if text is not None else []
    if problems:
        raise RefusedError(problems)
    # Each text begins with a separator of documents.
    return "".join(texts) or None


def _values_exist(source: Source, root: Path, environment: str) -> list[Path]:
    """Return the value files of an environment. Raises RefusedError with those that are missing."""
    folder = root / source.folder
    own = [folder / name.replace("<env>", environment) for name in source.value_files]
    if missing := [str(file.relative_to(root)) for file in own if not file.is_file()]:
        says = f"the value file is missing; environment {environment} deploys with it"
        raise RefusedError(Problem(file, 0, 0, says) for file in missing)
    return own


def _template(source: Source, root: Path, environment: str, deployed: Deployed) -> str:
    folder = root / source.folder
    own = _values_exist(source, root, environment)
    with ExitStack() as stack:
        images = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        values = [*own, *_images(source, root, environment, deployed, images)]
        return _helm(
            *("template", source.release(environment), str(folder), "--include-crds"),
            *("--namespace", f"{source.tenant}-{environment}"),
            *(part for file in values for part in ("--values", str(file))),
            *_parameters(source, environment),
        )


def _parameters(source: Source, environment: str) -> Sequence[str]:
    """Return the parameters as Argo CD passes them: a text stays a text."""
    listed: list[str] = []
    for name, value in source.parameters.items():
        if isinstance(value, str):
            listed += ["--set-string", f"{name}={value.replace('<env>', environment)}"]
        else:
            listed += ["--set", f"{name}={str(value).lower()}"]
    return listed


def _images(source: Source, root: Path, environment: str, deployed: Deployed, into: Path) -> Sequence[Path]:
    """Write the value files with the digests of the applications that are promoted to an environment."""
    files = []
    for promotion in (one for one in source.promotions if one.environment == environment):
        path = f"{source.folder}/images/{environment}/{promotion.app}.yaml".removeprefix("./")
        text = deployed(environment, path) if promotion.way == DIRECT else None
        if text is None and (root / path).is_file():
            text = (root / path).read_text(encoding="utf-8")
        if text is None:
            never = Image(f"{source.registry}/{source.tenant}/{promotion.app}", NO_DIGEST, "0" * 40)
            text = never.values(promotion.app)
        files.append(into / f"{promotion.app}.yaml")
        files[-1].write_text(text, encoding="utf-8")
    return files


def lint(source: Source, root: Path, environment: str, deployed: Deployed) -> str:
    """Return what `helm lint` says of the chart with the values of an environment. Raises RefusedError if it fails."""
    folder = root / source.folder
    own = [folder / name.replace("<env>", environment) for name in source.value_files]
    with tempfile.TemporaryDirectory() as images:
        values = [*own, *_images(source, root, environment, deployed, Path(images))]
        listed = (part for file in values for part in ("--values", str(file)))
        named = ("--namespace", f"{source.tenant}-{environment}")
        return _helm("lint", str(folder), "--quiet", *named, *listed, *_parameters(source, environment))


def _helm(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["helm", *arguments], capture_output=True, encoding="utf-8", errors="replace", check=False
        )
    except FileNotFoundError:
        raise RefusedError("helm is not installed") from None
    if done.returncode != 0:
        said = done.stderr.strip() or done.stdout.strip()
        raise RefusedError(
            Problem(f"helm {arguments[0]}", 0, 0, clean(line)) for line in said.splitlines() if line.strip()
        )
    return done.stdout

"""Programs of the tools image, made as parts of the lab, on the PATH of the jobs."""

from __future__ import annotations

from lab import parts
from lab.parts.job_tools import JOB_TOOLS
from tests.pipelines.factory import Factory


def with_tools(factory: Factory, *names: str) -> Factory:
    """Put the programs of these parts on the PATH of every later job."""
    folders = parts.ensure(names)
    for part in JOB_TOOLS:
        for program in part.provides if part.name in names else ():
            factory.images.add(folders[part.name] / program)
    return factory

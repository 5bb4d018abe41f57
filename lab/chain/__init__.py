"""A tenant's whole delivery chain, step by step as its users and pipelines use it, and attempts that must be refused.

The steps: push with git, take the job as a runner, log in to OpenBao with the job's ID token from GitLab, read the push
robot, push an image, analyse the code, pull as the cluster, clone as Argo CD. Then the same as another tenant, from an
unprotected branch, and from a merge request: the system that protects the object must refuse each of these steps.
`usine lab chain` prints the transcript.
"""

from __future__ import annotations

from collections.abc import Callable

from lab import parts
from lab.chain.analysis import Analysis
from lab.chain.scenario import Chain, WalkedTenant
from lab.chain.transcript import ChainStep, Transcript
from lab.home import LabHome

__all__ = ["ChainStep", "Transcript", "WalkedTenant", "walk"]


def walk(
    home: LabHome,
    root: str,
    own: WalkedTenant,
    other: WalkedTenant,
    on_step: Callable[[ChainStep], None] = lambda _step: None,
) -> Transcript:
    """Run the scenario on a running platform that has both tenants; `root` is the tenants' group in GitLab.

    Raises LabError when a step that later steps need is refused or fails. The transcript has all unexpected outcomes.
    """
    folders = parts.ensure(("sonar-scanner",))
    analysis = Analysis(
        folders["sonar-scanner"], f"http://127.0.0.1:{home.ports.sonarqube}", home.data / "sonar-scanner"
    )
    transcript = Transcript(on_step=on_step)
    Chain(home, root, analysis, transcript).walk(own, other)
    return transcript

"""A tenant's whole chain, walked step by step as its people and pipelines walk it, and as others must not.

Push by git, take the job as a runner does, log in to OpenBao with the identity GitLab signed for it, read the push
robot, push an image, analyse the code, pull as the cluster does, clone as Argo CD does. Then the same as another
tenant, from an unprotected branch, and from a merge request: each step that must be refused is tried, and must be
refused by the system that guards it. `usine lab chain` shows the transcript.
"""

from __future__ import annotations

from collections.abc import Callable

from lab import parts
from lab.chain.analysis import Analysis
from lab.chain.scenario import Chain, WalkedTenant
from lab.chain.transcript import Step, Transcript
from lab.home import LabHome

__all__ = ["Step", "Transcript", "WalkedTenant", "walk"]


def walk(
    home: LabHome,
    root: str,
    own: WalkedTenant,
    other: WalkedTenant,
    on_step: Callable[[Step], None] = lambda _step: None,
) -> Transcript:
    """Walk the scenario on a running platform that holds both tenants; `root` is the tenants' group in GitLab.

    Raises LabError when a step that the rest needs is refused or fails; the transcript says what went otherwise.
    """
    folders = parts.ensure(("sonar-scanner",))
    analysis = Analysis(
        folders["sonar-scanner"], f"http://127.0.0.1:{home.ports.sonarqube}", home.data / "sonar-scanner"
    )
    transcript = Transcript(on_step=on_step)
    Chain(home, root, analysis, transcript).walk(own, other)
    return transcript

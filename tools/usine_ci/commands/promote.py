"""Write the digest of an image into the infra repository.

The application is the job's project. The variables USINE_PROMOTIONS, USINE_DEPLOY_REPOSITORY and USINE_DEPLOY_PATH come
from the tenant file, DEPLOY_TOKEN is the token of the infra repository. With the digest of an older image, this is the
way back.
"""

from __future__ import annotations

import argparse
import os

from usine_ci.infra import opened
from usine_ci.problems import RefusedError, did_you_mean
from usine_ci.promotions import DIRECT, Image, deploy, propose, target_of


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--image", required=True, help="the image's repository in the registry")
    parser.add_argument("--digest", required=True, help="its digest: sha256:...")
    parser.add_argument("--revision", required=True, help="the commit that the image was built from")
    parser.add_argument("--app", required=True, help="the application: the name of its repository")
    parser.add_argument("--pipeline", default="", help="the address of the pipeline, for people")
    parser.add_argument("--environment", action="append", default=[], help="only this environment; repeatable")


def run(options: argparse.Namespace) -> int:
    """Promote the image to the environments of the application, and say what changed."""
    image = Image(options.image, options.digest, options.revision)
    target = target_of(os.environ)
    own = [promotion for promotion in target.promotions if promotion.app == options.app]
    declared = [promotion.environment for promotion in own]
    for name in options.environment:
        if name not in declared:
            raise RefusedError(f"{options.app} is not promoted to {name}: {did_you_mean(name, declared)}")
    if not own:
        raise RefusedError(f"no promotion of {options.app} is declared: the key `deploys` of the tenant file")
    about = f"Image {image.repository}@{image.digest}\nof commit {image.revision}\n{options.pipeline}".strip()
    with opened(target.server, target.repository, target.token) as repository:
        for promotion in own:
            if options.environment and promotion.environment not in options.environment:
                continue
            where = f"{promotion.environment} ({promotion.way})"
            if promotion.way == DIRECT:
                title = f"Deploy {promotion.app} to {promotion.environment}: {image.digest[:19]}"
                files = {target.file(promotion): image.values(promotion.app)}
                commit = deploy(repository, target, promotion.environment, files, f"{title}\n\n{about}\n")
                print(
                    f"{where}: {f'{promotion.branch} is at {commit[:12]}' if commit else 'it has this image already'}"
                )
            else:
                link = propose(repository, target, promotion, image, about)
                print(f"{where}: {link or 'the default branch has this image already'}")
            repository.fetch()
    return 0

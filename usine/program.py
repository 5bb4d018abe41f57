"""The files that make the program: one list for bound plans, the record of the last run, `usine diff` and the wheel."""

from __future__ import annotations

from typing import Final

#: The packages at the top of the checkout that the program, the policies and the command line are made of.
PACKAGES: Final = ("components", "model", "policy", "pulumi_facts", "stacks", "usine")

#: Files and folders at the top of the checkout, each folder with everything in it: what the engine runs and checks.
PROGRAM: Final = ("Pulumi.yaml", "requirements.txt", "catalogue", *PACKAGES)

#: The part of the program that decides which resources there are. Policies only accept or refuse them.
PLANNING: Final = tuple(path for path in PROGRAM if path != "policy")

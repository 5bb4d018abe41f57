"""Usine: everything of the software factory that is not Pulumi (tenant files, names, plan, command line)."""

__version__ = "0.1.0"

"""Drives the real `pulumi`: run lock, recovery of interrupted runs, guards on the plan, the run itself, its report."""

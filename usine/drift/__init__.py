"""Drift: differences between the stack's state and what the systems hold, and their repair."""

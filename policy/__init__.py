"""Policies about resources: pure functions that the engine runs (CrossGuard) and that check the offline plan."""

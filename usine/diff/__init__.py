"""The difference of two revisions in objects, by two offline plans."""

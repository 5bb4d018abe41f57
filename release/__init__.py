"""The release of a version: the checks before its tag, and its wheel."""

"""The release of a version: what must hold before its tag, and the wheel that goes with it."""

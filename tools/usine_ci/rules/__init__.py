"""The files by which the scanners work. Files of that kind in a repository are not read."""

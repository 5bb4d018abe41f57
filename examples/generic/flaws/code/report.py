"""Prints the size of a folder that the caller names."""

import subprocess
import sys


def size(folder: str) -> str:
    return subprocess.check_output(f"du -s {folder}", shell=True, text=True)


print(size(sys.argv[1]))

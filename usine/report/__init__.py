"""Reports of diffs, runs and drift scans: their model as plain values, and their output formats."""

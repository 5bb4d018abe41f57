"""Benchmarks: figures and curves, no verdict. `make bench` runs them all."""

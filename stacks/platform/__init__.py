"""The one stack: `program.build` is the whole platform, `__main__` runs it under the engine."""

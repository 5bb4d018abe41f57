"""Sub-commands of `usine`, one module each: `register(subparsers)` sets `run=` to a function of the arguments."""

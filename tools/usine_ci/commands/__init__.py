"""The subcommands: each module here is one, see `usine_ci.cli`."""

"""What Pulumi writes: property paths, special values, type tokens, URNs, checkpoints and event logs."""

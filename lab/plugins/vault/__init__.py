"""Stand-in for the official vault provider plugin, on Vault or OpenBao."""

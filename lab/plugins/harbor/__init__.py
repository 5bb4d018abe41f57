"""Stand-in for the official harbor provider plugin (Pulumiverse)."""

"""Stand-in for the official gitlab provider plugin."""

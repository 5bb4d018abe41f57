"""Stand-in for the official kubernetes provider plugin: any kind, by server-side apply."""

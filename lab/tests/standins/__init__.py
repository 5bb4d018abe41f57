"""Stand-in servers, driven by the clients that are used with the real ones."""

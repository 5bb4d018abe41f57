"""The local platform: real servers on loopback, the engine that drives them, and stand-in plugins."""

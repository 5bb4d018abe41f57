"""Stand-in provider plugins for closed networks, which behave like the official plugins.

They have the official tokens, property names, defaults, id formats and read-back behaviour. A stack without a diff here
therefore has no diff with the official plugins either.
"""

"""Stand-in servers: what cannot be had on a closed network, as faithful as the clients that the stack uses can tell.

`gitlab` and `harbor` are real HTTP servers with their data on disk. What they share is here: `store` keeps documents,
`faults` breaks answers on request, `serve` runs one.
"""

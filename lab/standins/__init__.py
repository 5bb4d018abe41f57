"""Stand-in servers for closed networks. The clients that the stack uses see no difference from the real servers.

`gitlab` and `harbor` are HTTP servers with their data on disk. Their common modules are here: `store` stores documents,
`faults` injects faults, `serve` runs a server.
"""

"""A stand-in for Harbor: its API v2.0 and image registry, in front of a real registry server.

Clients see Harbor's behaviour: names and ids, error bodies, statuses, pages, the `q` grammar, permissions. The data is
in `store`, and images are in the real registry, which accepts only tokens that are signed here.

- `app` is the application; each `api_*` module is one part of the API, with rules from Harbor's handlers.
- `principals` identifies callers, `rbac` has their permissions, `call` is the argument of handlers.
- `proxy` is `/v2/`: permissions, quota, immutable tags and the severity gate, then the registry. `artifacts` records
pushes; as in Harbor, these records and not the registry determine which tags exist.
- `/-/lab/reports` (with the administrator's token in `X-Lab-Token`) sets the findings of a digest's scan.
"""

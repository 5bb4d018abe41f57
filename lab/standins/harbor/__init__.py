"""A stand-in for Harbor: its API v2.0 and its image registry, in front of a real registry server.

What clients see is Harbor's: names and ids, error bodies, statuses, pages, the `q` grammar, who may do what. Behind it
documents in `store`, and for images the real registry, reached only with tokens signed here.

- `app` puts it together; each `api_*` module is one part of the API, its rules taken from Harbor's own handlers.
- `principals` says who asks, `rbac` what they may do, `call` is what a handler gets.
- `proxy` is `/v2/`: rights, quota, immutable tags and the severity gate, then the registry. `artifacts` remembers what
  was pushed; as in Harbor, that and not the registry decides which tags exist.
- `/-/lab/reports` (with the administrator's token in `X-Lab-Token`) says what a scan of a digest is to find.
"""

"""A stand-in for GitLab: the REST API v4 as provider plugins, python-gitlab and curl use it, with GitLab's behaviour.

How to add an endpoint: a module `api_<part>.py` with `router = Router("<part>")`, named in `app.API`::

    class NewThing(Params):                      # JSON, form, multipart and query, all alike
        name: str                                # required: 400 {"error": "name is missing"}
        colour: Literal["red", "blue"] | None = None   # 400 {"error": "colour does not have a valid value"}
        protected: Bool = None                   # also Text, Int, Day, Texts, Ints, Hashes, Hash: see `params`

    @router.post("/projects/{id}/things")        # 201; get, put, patch 200; delete 204; else status=...
    @needed_by(Need.PLUGINS)                     # a test fails for a route that is not needed
    def create_thing(call: Call, id: str, given: NewThing) -> Any:
        project = call.project(id, access.MAINTAINER)   # number or path; 404 if not visible, 403 below the level
        if call.store.first("thing", project_id=project["id"], name=given.name):
            raise errors.invalid(name=["has already been taken"])      # undoes all writes of this request
        return render(call.store.add("thing", {"project_id": project["id"], **given.sent()}))

    @router.get("/projects/{id}/things")
    @needed_by(Need.INVENTORY)
    def list_things(call: Call, id: str, given: Paging) -> Any:        # or a subclass of Paging with filters
        project = call.project(id, access.GUEST)
        return call.page(call.store.find("thing", project_id=project["id"]), given, render)

- Arguments are found by type: `Call`, one `Params`, and the path's names as `str` (encoded slashes decoded) or `int`.
- `call.user` is the caller (401 without one), `call.actor` has kind, scopes and token. There are also
`call.require_admin()`, `call.require_premium()`, `call.group(...)`, `call.project_level(project)`; `given.sent()` has
only the parameters that the client sent.
- Options of a route: `scopes=("read_repository",)` are accepted besides `api`/`read_api`; `job_token=True` allows CI
jobs; `anonymous=True` allows requests without a token (public projects).
- Return a body, `Reply(body, status, headers)`, a starlette `Response`, or None. Only an exception undoes writes.
- Raise from `errors`: `not_found("Branch")`, `forbidden()`, `invalid(...)`, `refused("...", 422)`, `conflict("...")`.
- Not under `/api/v4`, or asynchronous (git): routes on `router.fastapi` in a module of `app.EXTENSIONS`;
  `actors.basic(request)` and `actors.resolve_login(site, name, secret)` authenticate git, deploy tokens too, then
  `access.project_level(site, actor, project)`. The site is `request.app.state.site`; an encoded slash in such a path
  is `routing.ENCODED_SLASH`.
- `install(site)` of an extension can set `site.repositories` (protocol in `site`), append to `site.token_kinds` a
function `(site, secret) -> Actor | None` (job tokens: kind `job`), and append functions for new and deleted projects
to `site.created` and `site.removing`. Use `site.seal`/`unseal` for secrets at rest, `digest` for tokens.
- Documents are dicts by kind: `project` and `namespace` (groups: `kind="group"`; ids as in the API, `full_path`,
  `route` is the lower-case path), `user`, `member`, `token`, `deploy_token`, `variable`. `variables.value_of(site,
  doc)`.
"""

"""`usine fleet operator`: the resources of the Pulumi Kubernetes Operator."""

from __future__ import annotations

import datetime
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.reading.fields import LONGEST_SLUG, SLUG_PATTERN
from tests.fleet.fake import SLUGS, Fake
from tests.fleet.operated import arguments, commit, commits, variables, write
from usine.fleet.operator import LONGEST_NAME, resource_name


@pytest.fixture(autouse=True)
def in_checkout(fleet: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(fleet.root)


slugs = st.from_regex(SLUG_PATTERN, fullmatch=True).filter(lambda slug: len(slug) <= LONGEST_SLUG)
bases = st.one_of(
    st.sampled_from(["prod", "a-b", "Prod", "p.q", "x_y", "1", "-", "p--q"]), st.text("ab-.A", min_size=1)
)


@settings(max_examples=50)
@given(bases, slugs, slugs)
def test_each_stack_has_a_name_of_its_own_that_fits(base: str, one: str, other: str) -> None:
    names = [resource_name(base, slug) for slug in (None, one, other)]
    assert len(set(names)) == len({one, other}) + 1
    for name in names:
        assert len(name) <= LONGEST_NAME
        # The service `<name>-workspace` has this form.
        assert re.fullmatch(r"[a-z](?:[a-z0-9-]*[a-z0-9])?", name)


def test_only_stacks_that_need_a_run_get_the_new_commit(fleet: Fake) -> None:
    first = commit(fleet)
    stacks = write(fleet, "--apply")
    assert list(stacks) == ["prod", *(f"prod.{slug}" for slug in SLUGS)]
    assert set(commits(stacks).values()) == {first}
    assert "prerequisites" not in stacks["prod"]["spec"]
    assert stacks["prod.beta"]["spec"]["prerequisites"] == [{"name": stacks["prod"]["metadata"]["name"]}]

    fleet.report("up", "--run", "1")
    before = (fleet.root / "stacks.yaml").read_bytes()
    fleet.tenant("beta", "labels: {a: b}\n")
    second = commit(fleet)
    stacks = write(fleet, "--apply", run="2")
    assert commits(stacks) == dict.fromkeys(stacks, first) | {"prod.beta": second}
    assert variables(stacks["prod.beta"])["USINE_FLEET_RUN"] == "2"
    # The operator runs a resource that changed: nothing of the others has.
    after = (fleet.root / "stacks.yaml").read_bytes()
    pairs = zip(before.split(b"---\n"), after.split(b"---\n"), strict=True)
    assert [old != new for old, new in pairs] == [name == "prod.beta" for name in stacks]


def test_a_tenant_that_waits_keeps_its_commit(fleet: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    waves = {"waves": [{"tenants": ["alpha"]}], "longestHold": "30d", "scanned": False}
    fleet.settle(**{"usine:fleet": waves})
    first = commit(fleet)
    fleet.report("up", "--run", "1")
    (fleet.root / "requirements.txt").write_text("other\n", encoding="utf-8")
    tomorrow = datetime.date.today() + datetime.timedelta(days=1)
    fleet.tenant("omega", f"hold: {{until: {tomorrow}, reason: The election is soon.}}\n")
    fleet.tenant("gamma", f"labels: {{a: b}}\nhold: {{until: {tomorrow}, reason: The election is soon.}}\n")
    second = commit(fleet)
    stacks = write(fleet, "--apply", run="2")
    found = commits(stacks)
    assert found["prod"] == found["prod.alpha"] == second, "the foundation and the first wave"
    assert found["prod.beta"] == found["prod.delta"] == first, "their wave has not begun"
    assert found["prod.gamma"] == first, "held"
    assert "prod.omega" not in found
    assert f"1 stack without a resource, held until {tomorrow}: The election is soon.: omega" in capsys.readouterr().out


def test_limit_leaves_tenants_as_they_are(fleet: Fake) -> None:
    first = commit(fleet)
    fleet.report("up", "--run", "1")
    (fleet.root / "requirements.txt").write_text("other\n", encoding="utf-8")
    second = commit(fleet)
    found = list(commits(write(fleet, "--limit", "1", run="2")).values())
    assert (found[0], found.count(second), found.count(first)) == (second, 2, 3)


def test_without_apply_the_identity_only_reads(fleet: Fake) -> None:
    commit(fleet)
    for more, account, secret, preview in (
        ((), "usine-look", "look", True),
        (("--apply",), "usine-pipeline", "pipeline", False),
    ):
        for stack in write(fleet, *more).values():
            spec = stack["spec"]
            assert (spec["serviceAccountName"], spec["preview"]) == (account, preview)
            (log_in,) = spec["workspaceTemplate"]["spec"]["podTemplate"]["spec"]["initContainers"]
            assert log_in["env"] == [
                {"name": "VAULT_ROLE", "value": account},
                {"name": "VAULT_SECRET", "value": secret},
            ]
            assert variables(stack)["USINE_FLEET_MODE"] == ("preview" if preview else "up")


def test_a_resource_destroys_nothing_and_has_no_credential(fleet: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VAULT_TOKEN", "PULUMI_CONFIG_PASSPHRASE", "GITLAB_TOKEN"):
        monkeypatch.setenv(name, "planted-marker")
    commit(fleet)
    for stack in write(fleet, "--apply", "--git-secret", "clone", "--state-audience", "s3").values():
        spec = stack["spec"]
        assert spec["destroyOnFinalize"] is False
        assert spec["workspaceReclaimPolicy"] == "Delete"
        assert "branch" not in spec
        assert spec["gitAuth"] == {"accessToken": {"type": "Secret", "secret": {"name": "clone", "key": "accessToken"}}}
        # A commit without `bin/operator` has no `pulumi` at all.
        assert variables(stack)["PATH"] == "/share/workspace/bin/operator"
        pod = spec["workspaceTemplate"]["spec"]["podTemplate"]["spec"]
        mounted = {one["name"]: [m["name"] for m in one["volumeMounts"]] for one in pod["containers"]}
        assert "usine-identity" not in mounted["pulumi"], "the program sees no token for Vault's log-in"
        projected = [v["projected"]["sources"] for v in pod["volumes"] if "projected" in v]
        tokens = [source["serviceAccountToken"] for sources in projected for source in sources]
        assert {token["path"] for token in tokens} == {"vault", "kubernetes", "state"}
        assert all(600 <= token["expirationSeconds"] <= 3600 for token in tokens)
    text = (fleet.root / "stacks.yaml").read_text(encoding="utf-8")
    assert "planted-marker" not in text
    assert str(fleet.root) not in text


def test_a_removed_tenant_is_emptied_by_a_run_and_then_has_no_resource(fleet: Fake) -> None:
    first = commit(fleet)
    fleet.tenant("beta", "state: archived\n")
    fleet.report("up", "--run", "1")
    (fleet.root / "projects.d" / "beta.yaml").unlink()
    second = commit(fleet)
    assert commits(write(fleet, "--apply", run="2"))["prod.beta"] == second != first
    fleet.report("up", "--run", "2")
    assert "prod.beta" not in write(fleet, "--apply", run="3")


def test_too_many_leaving_tenants_are_refused(fleet: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    commit(fleet)
    fleet.settle(**{"usine:changes": {"massRemoval": {"count": 2}}})
    fleet.report("up", "--run", "1")
    for slug in SLUGS[:3]:
        (fleet.root / "projects.d" / f"{slug}.yaml").unlink()
    commit(fleet)
    assert fleet.run("operator", *arguments(fleet, "--apply", run="2")) == 1
    assert "refused: " in capsys.readouterr().out
    assert not (fleet.root / "stacks.yaml").exists()


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--repository", "https://user:hidden-word@gitlab.example.fr/a.git", "has a user or a password"),
        ("--repository", "http://gitlab.example.fr/a.git", "expected https://"),
        ("--repository", "https://gitlab.example.fr/a.git?private_token=hidden-word", "expected https://"),
        ("--image", "registry.example.fr/platform/ci:latest", "expected an image with its digest"),
        ("--namespace", "Usine", "expected a name of Kubernetes"),
    ],
)
def test_wrong_arguments(fleet: Fake, option: str, value: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    commit(fleet)
    with pytest.raises(SystemExit):
        fleet.run("operator", *arguments(fleet, option, value))
    error = capsys.readouterr().err
    assert said in error
    assert "hidden-word" not in error


def test_what_a_workspace_needs_is_there(fleet: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    assert fleet.run("operator", *arguments(fleet)) == 1
    assert "no commit is checked out" in capsys.readouterr().err
    commit(fleet)
    fleet.settle(**{"usine:systems": ["gitlab"]})
    assert fleet.run("operator", *arguments(fleet)) == 1
    assert "a workspace logs in to Vault" in capsys.readouterr().err

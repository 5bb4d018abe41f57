"""`usine check`, `schema`, `new` and `explain`, on the command line."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from model.reading.load import load
from model.tenant import State
from tests.spec.helpers import LAB, ROOT, SETTINGS, file
from usine.commands import check, explain, new, schema

COMMANDS = {"check": check, "schema": schema, "new": new, "explain": explain}


def usine(*argv: str) -> int:
    parser = argparse.ArgumentParser()
    subparsers = parser.add_subparsers(required=True)
    for module in COMMANDS.values():
        module.register(subparsers)
    args = parser.parse_args(argv)
    return int(args.run(args))


def test_check_reports_success(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert usine("check") == 0
    assert capsys.readouterr().out == f"{len(load(ROOT / 'projects.d', SETTINGS))} tenants, no problem\n"
    (tmp_path / "aa.yaml").write_text(file("aa"))
    assert usine("check", "--projects", str(tmp_path), "--settings", str(LAB)) == 0
    assert capsys.readouterr().out == "1 tenant, no problem\n"


def test_check_prints_problems(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "aa.yaml"
    path.write_text(file("aa", "environments: {dév: {}}\nx: 1\n"))
    assert usine("check", "--projects", str(tmp_path)) == 1
    out = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[0] for line in out] == [f"{path}:7:16", f"{path}:8:1"]
    assert usine("check", "--projects", str(tmp_path), "--format", "json") == 1
    answer = json.loads(capsys.readouterr().out)
    assert [(p["line"], p["column"]) for p in answer["problems"]] == [(7, 16), (8, 1)]
    assert set(answer["problems"][0]) == {"file", "line", "column", "message"}
    (tmp_path / "aa.yaml").write_text(file("aa"))
    assert usine("check", "--projects", str(tmp_path), "--format", "json") == 0
    assert json.loads(capsys.readouterr().out) == {"problems": []}


def test_no_input_gives_a_traceback(tmp_path: Path) -> None:
    """The whole command in a process of its own, on a terminal that knows no accents."""
    (tmp_path / "aa.yaml").write_bytes(b"\xff")
    (tmp_path / "bb.yaml").write_text("slug: é\nétat: …\n")
    (tmp_path / "cc.yaml").write_text("[" * 100_000)
    (tmp_path / "dd.yaml").mkdir()
    for arguments in (
        ["check", "--projects", str(tmp_path)],
        ["check", "--projects", str(tmp_path / "none"), "--format", "json"],
        ["check", "--settings", str(tmp_path / "bb.yaml")],
        ["check", "--settings", str(tmp_path)],
        ["schema", "--settings", str(tmp_path / "aa.yaml")],
        ["new", "ok", "--projects", str(tmp_path / "none")],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "usine", *arguments],
            cwd=ROOT,
            env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONPATH": str(ROOT)},
            capture_output=True,
            check=False,
        )
        assert done.returncode == 1, (arguments, done.stderr)
        assert b"Traceback" not in done.stdout + done.stderr
        assert (done.stdout + done.stderr).strip()


def test_schema_prints_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert usine("schema") == 0
    general = json.loads(capsys.readouterr().out)
    assert "slug" in general["required"]
    assert usine("schema", "--settings", str(LAB)) == 0
    assert "nonprod-1" in capsys.readouterr().out
    assert "nonprod-1" not in json.dumps(general)


@pytest.mark.parametrize("archetype", [None, "small", "large"])
@pytest.mark.parametrize("slug", ["aa", "a-b-c", "abcdefghijklmnopqrst"])
def test_new_writes_a_file_that_passes(tmp_path: Path, slug: str, archetype: str | None) -> None:
    options = [] if archetype is None else ["--archetype", archetype]
    assert usine("new", slug, *options, "--owner", "0123", "--projects", str(tmp_path)) == 0
    assert usine("check", "--projects", str(tmp_path)) == 0
    (tenant,) = load(tmp_path, SETTINGS)
    assert (tenant.slug, tenant.owner) == (slug, "0123")
    assert tenant.archetype == archetype or archetype is None
    text = (tmp_path / f"{slug}.yaml").read_text()
    assert text.count("#") > 10


def test_new_works_with_the_production_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert usine("new", "aa", "--stdout", "--settings", str(ROOT / "Pulumi.prod.yaml")) == 0
    assert "slug: aa" in capsys.readouterr().out


def test_the_comments_of_a_new_file_are_legal_keys(tmp_path: Path) -> None:
    assert usine("new", "aa", "--owner", "bob", "--projects", str(tmp_path)) == 0
    path = tmp_path / "aa.yaml"
    lines = path.read_text().splitlines()[1:]
    path.write_text("\n".join(line.replace("# ", "", 1) if line.lstrip().startswith("# ") else line for line in lines))
    (tenant,) = load(tmp_path, SETTINGS)
    assert tenant.description
    assert tenant.review_after
    assert tenant.environments[0].egress
    assert [r.name for r in tenant.repositories] == ["app", "deploy"]


def test_new_prints_instead_of_writing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert usine("new", "aa", "--stdout", "--projects", str(tmp_path)) == 0
    assert "slug: aa" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["Mon_Projet"], "did you mean mon-projet?"),
        (["a"], "a slug has 2 to 20 characters"),
        (["../../x"], "a slug has 2 to 20 characters"),
        (["infra"], "reserved by the platform"),
        (["aa", "--archetype", "larg"], "did you mean large?"),
        (["aa", "--owner", "Bob Durand"], "--owner: a person is a user name"),
        (["taken"], "exists already"),
        (["aa", "--projects", "none-such"], "No such file"),
    ],
)
def test_new_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    (tmp_path / "taken.yaml").write_text("mine")
    folder = [] if "--projects" in arguments else ["--projects", str(tmp_path)]
    assert usine("new", *arguments, *folder) == 1
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["taken.yaml"]
    assert (tmp_path / "taken.yaml").read_text() == "mine"


def test_new_refuses_a_slug_with_the_words_of_the_loader(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    usine("new", "a--b", "--projects", str(tmp_path))
    said = capsys.readouterr().err.split("usine new: ")[1].strip()
    (tmp_path / "a--b.yaml").write_text(file("a--b"))
    usine("check", "--projects", str(tmp_path))
    assert said in capsys.readouterr().out


def test_explain_lists_the_rights_of_a_person_and_who_has_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    assert usine("explain", "teleservice", "--as", "Emma.Leroy") == 0
    out = capsys.readouterr().out
    assert out.startswith("emma.leroy in teleservice (active): developer\n\nvault\n")
    assert "  yes  read and write secrets of environments outside production (dev): by developer\n" in out
    assert "  no   read and write secrets of production environments (prod): only owner, admin, devops\n" in out
    assert usine("explain", "teleservice", "--as", "emma.lerois") == 0
    out = capsys.readouterr().out
    assert out.startswith("emma.lerois in teleservice (active): no role\ndid you mean emma.leroy?\n")
    assert "yes" not in out
    assert usine("explain", "teleservice", "--as", "hugo.lambert", "--format", "json") == 0
    answer = json.loads(capsys.readouterr().out)
    given = {one["right"]: one["through"] for one in answer["answers"] if one["allowed"]}
    assert given == {key: ["audit"] for key in ("kubernetes:view-prod", "argocd:view-prod", "gitlab:reporter")}


def test_explain_lists_roles_and_knows_states(capsys: pytest.CaptureFixture[str]) -> None:
    assert usine("explain", "teleservice") == 0
    out = capsys.readouterr().out
    purpose = "Reads what runs in production and its deployments"
    assert f"\naudit: hugo.lambert\n  {purpose}\n  argocd:view-prod          see deployments in production\n" in out
    archived = next(tenant for tenant in load(ROOT / "projects.d", SETTINGS) if tenant.state is State.ARCHIVED)
    assert usine("explain", archived.slug, "--as", archived.owner) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{archived.owner} in {archived.slug} (archived: nobody has access): no role\n\n")
    assert {line.rsplit(": ")[-1] for line in out.splitlines() if line.startswith("  ")} == {"nobody"}


def test_explain_refuses_an_unknown_tenant(capsys: pytest.CaptureFixture[str]) -> None:
    assert usine("explain", "teleservise") == 1
    assert "no such tenant: 'teleservise'; did you mean teleservice?" in capsys.readouterr().err

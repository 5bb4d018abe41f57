"""The files that the folder of tenant files may contain."""

from __future__ import annotations

import errno
import os
from pathlib import Path, PurePosixPath

import pytest

from model.problems import Problem, SpecError
from model.reading import files as files_module
from model.reading.load import load
from tests.spec.helpers import SETTINGS, file, load_texts, problems_of


def found(folder: Path) -> list[Problem]:
    try:
        load(folder, SETTINGS)
    except SpecError as error:
        return list(error.problems)
    return []


def test_an_empty_folder_has_no_tenants(tmp_path: Path) -> None:
    assert load(tmp_path, SETTINGS) == ()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    (problem,) = found(tmp_path / "none")
    assert problem.file == str(tmp_path / "none")
    assert "No such file" in problem.message


def test_tenants_are_sorted_by_slug_and_have_their_source(tmp_path: Path) -> None:
    for slug in ("zoo", "a-b", "aa"):
        (tmp_path / f"{slug}.yaml").write_text(file(slug))
    tenants = load(tmp_path, SETTINGS)
    assert [p.slug for p in tenants] == ["a-b", "aa", "zoo"]
    assert tenants[0].source == str(tmp_path / "a-b.yaml")


@pytest.mark.parametrize("name", [".tenant.yaml", ".gitkeep", ".#tenant.yaml", "README.md"])
def test_hidden_files_and_notes_are_ignored(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("slug: [")
    assert load(tmp_path, SETTINGS) == ()


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("x.yaml", "x"),
        ("a.b.yaml", "a.b"),
        (".x.yaml", None),
        (".yaml", None),
        ("x.yml", None),
        ("x.YAML", None),
        ("x.yaml.bak", None),
        ("README.md", None),
        ("deep/x.yaml", None),
    ],
)
def test_the_path_tells_which_files_are_read_as_tenant_files(tmp_path: Path, name: str, slug: str | None) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("")
    listed, _ = files_module.tenant_files(tmp_path)
    assert [file.stem for file in listed] == ([slug] if slug is not None else [])
    folder = PurePosixPath("platform/projects.d")
    assert files_module.slug_of(f"platform/projects.d/{name}", folder) == slug
    assert files_module.slug_of(f"projects.d/{name}", folder) is None
    if slug is not None:
        assert files_module.file_of(slug, folder) == folder / name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tenant.yml", 'rename the file to "tenant.yaml"'),
        ("tenant.json", "only <slug>.yaml files"),
        ("tenant.yaml.bak", "only <slug>.yaml files"),
        ("tenant", "only <slug>.yaml files"),
    ],
)
def test_other_suffixes_are_reported(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / name).write_text(file("tenant"))
    (problem,) = found(tmp_path)
    assert (problem.file, problem.line, problem.column) == (str(tmp_path / name), 1, 1)
    assert message in problem.message


def test_symbolic_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "x").write_text("marker-of-the-outside: 1")
    folder = tmp_path / "projects.d"
    folder.mkdir()
    (folder / "tenant.yaml").symlink_to("../outside/x")
    (folder / "gone.yaml").symlink_to("nowhere")
    (folder / "sub").symlink_to("../outside")
    problems = found(folder)
    assert len(problems) == 3
    for problem in problems:
        assert "a symbolic link" in problem.message
        assert "marker" not in problem.message


def test_a_link_put_there_after_listing_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "outside").write_text("marker: 1")
    folder = tmp_path / "projects.d"
    folder.mkdir()
    (folder / "tenant.yaml").symlink_to("../outside")
    monkeypatch.setattr(files_module, "_oddity", lambda _entry: None)
    (problem,) = found(folder)
    assert "cannot be read" in problem.message


def test_sub_folders_and_pipes_are_reported(tmp_path: Path) -> None:
    (tmp_path / "team").mkdir()
    os.mkfifo(tmp_path / "tenant.yaml")
    first, second = found(tmp_path)
    assert "a sub-folder" in first.message
    assert "not a regular file" in second.message


def test_an_unreadable_file_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tenant.yaml").write_text(file("tenant"))

    def refuse(*_: object, **__: object) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("os.open", refuse)  # the tests may run as root, whom no mode stops
    (problem,) = found(tmp_path)
    assert "cannot be read: Permission denied" in problem.message


def test_a_pipe_put_there_after_listing_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "tenant.yaml")
    monkeypatch.setattr(files_module, "_oddity", lambda _entry: None)
    (problem,) = found(tmp_path)
    assert "not a regular file" in problem.message


def test_names_that_are_not_text_are_shown_escaped(tmp_path: Path) -> None:
    with open(os.fsencode(tmp_path) + b"/b\xffd\x1b[31m\n.yaml", "wb") as stream:
        stream.write(file("tenant").encode())
    problems = found(tmp_path)
    assert problems
    assert all(str(p).isprintable() and str(p).isascii() for p in problems)


def test_the_name_of_a_file_is_its_slug() -> None:
    (problem,) = problems_of({"tenant.yaml": file("other")})
    assert (problem.line, problem.column) == (3, 7)
    assert 'the slug is other, the file\'s name "tenant"' in problem.message


def test_a_name_in_another_case_is_another_name() -> None:
    (problem,) = problems_of({"Tenant.yaml": file("tenant")})
    assert 'the file\'s name "Tenant"' in problem.message
    both = problems_of({"Tenant.yaml": file("tenant"), "tenant.yaml": file("tenant")})
    assert any("the slug tenant is taken by" in p.message for p in both)


def test_one_run_reports_all_problems_of_all_files() -> None:
    found = problems_of(
        {
            "aa.yaml": file("aa", "repositories: {x1: {kind: ap}}\nowner2: x\n"),
            "bb.yaml": "slug: [",
            "cc.yml": "",
            "dd.yaml": file("dd"),
        }
    )
    assert [p.file for p in found] == ["aa.yaml", "aa.yaml", "bb.yaml", "cc.yml"]
    assert found == sorted(found)


def test_good_files_beside_wrong_ones_are_still_compared() -> None:
    wrong = file("aa", "environments: {dev: {url: https://one.example.fr}}\nnonsense: 1\n")
    right = file("bb", "environments: {dev: {url: https://one.example.fr}}\n")
    messages = [p.message for p in problems_of({"aa.yaml": wrong, "bb.yaml": right})]
    assert any("unknown key nonsense" in m for m in messages)
    assert any("already has the host" in m for m in messages)
    assert load_texts({"bb.yaml": right})

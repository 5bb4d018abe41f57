"""The CI catalogue: all files are read, and problems have their place."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml

from model.problems import SpecError
from model.reading.catalogue import FOLDER, IMAGES_FILE, read_catalogue, read_images
from tests.spec.helpers import ROOT, SETTINGS


def test_ours_has_a_file_for_each_preset_of_every_settings_file() -> None:
    texts = read_catalogue(ROOT / FOLDER, dataclasses.replace(SETTINGS, presets=(*SETTINGS.presets, "go")))
    assert set(texts) >= {"jobs/base.yml", "operations.yml", "templates/python.yml"}


def job_definitions(text: str) -> dict[str, Any]:
    """Return the content of a CI file, without the header that declares its inputs."""
    content: dict[str, Any] = list(yaml.load_all(text, _Loader))[-1]
    return content


class _Loader(yaml.SafeLoader):
    """Safe YAML in which GitLab's tag `!reference` is a list."""


def _reference(loader: yaml.SafeLoader, node: yaml.Node) -> Any:
    assert isinstance(node, yaml.SequenceNode)
    return loader.construct_sequence(node)


_Loader.add_constructor("!reference", _reference)


def test_no_job_has_a_secret_in_a_variable() -> None:
    """What is secret comes from Vault, by the job's identity."""
    for path, text in read_catalogue(ROOT / FOLDER, SETTINGS).items():
        for name, job in job_definitions(text).items():
            variables = job.get("variables", {}) if isinstance(job, dict) else {}
            assert not [key for key in variables if "TOKEN" in key or "PASSWORD" in key], (path, name)


def test_one_run_reports_everything_wrong(tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "python.yml").write_text("test:\n  script: [\n", encoding="utf-8")
    (tmp_path / "templates" / "generic.yml").write_bytes(b"\xff\xfe")
    settings = dataclasses.replace(SETTINGS, presets=("generic", "python", "rust"))
    with pytest.raises(SpecError) as caught:
        read_catalogue(tmp_path, settings)
    said = [str(problem).removeprefix(f"{tmp_path}/") for problem in caught.value.problems]
    assert len(said) == 3
    assert any(line.startswith("templates/python.yml:3:1: not a CI file") for line in said), said
    assert any(line.startswith("templates/generic.yml:1:1: CI catalogue: not a text") for line in said), said
    assert any("usine:presets: rust has no file" in line for line in said), said


DIGEST = f"sha256:{'1' * 64}"
PYTHON = f"docker.io/library/python:3.13@{DIGEST}"


def catalogue_of(folder: Path, **files: str) -> Path:
    """Write a catalogue: files by name, with _ for the dot."""
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text, encoding="utf-8")
    return folder


def read(folder: Path) -> dict[str, str]:
    return read_catalogue(folder, dataclasses.replace(SETTINGS, presets=()))


def refused(folder: Path) -> list[str]:
    with pytest.raises(SpecError) as caught:
        read(folder)
    return [str(problem).removeprefix(f"{folder}/") for problem in caught.value.problems]


def test_placeholders_are_replaced_wherever_they_are_a_whole_value(tmp_path: Path) -> None:
    text = """\
# Comments keep $USINE_PYTHON_IMAGE. Été.
spec: {inputs: {image: {default: "$USINE_PYTHON_IMAGE"}}}
---
é: {name: '${USINE_PYTHON_IMAGE}', entrypoint: [""]}   # é
b:
  services: [$USINE_MY_DB_IMAGE, $USINE_PYTHON_IMAGE]
  image: $USINE_TOOLS_IMAGE
  script: [echo $USINE_TENANT]
"""
    files = read(catalogue_of(tmp_path, a_yml=text, images_yml=f"python: {PYTHON}\nmy-db: {PYTHON}\n"))
    assert files == {
        "a.yml": f"""\
# Comments keep $USINE_PYTHON_IMAGE. Été.
spec: {{inputs: {{image: {{default: {PYTHON}}}}}}}
---
é: {{name: {PYTHON}, entrypoint: [""]}}   # é
b:
  services: [{PYTHON}, {PYTHON}]
  image: {SETTINGS.gitlab.tools_image}
  script: [echo $USINE_TENANT]
"""
    }


def test_unknown_and_misplaced_placeholders_have_their_place(tmp_path: Path) -> None:
    text = """\
a:
  image: $USINE_PYTON_IMAGE
  script:
    - docker run $USINE_PYTHON_IMAGE
    - |
      $USINE_X_IMAGE
"""
    said = refused(catalogue_of(tmp_path, a_yml=text, images_yml=f"python: {PYTHON}\n"))
    allowed = "Allowed: $USINE_PYTHON_IMAGE, $USINE_TOOLS_IMAGE"
    assert said == [
        f"a.yml:2:10: no such image: $USINE_PYTON_IMAGE; did you mean $USINE_PYTHON_IMAGE? {allowed}",
        "a.yml:4:7: $USINE_PYTHON_IMAGE is replaced only where it is a whole value: put it into a variable of the job",
        f"a.yml:5:7: no such image: $USINE_X_IMAGE; did you mean $USINE_TOOLS_IMAGE? {allowed}",
    ]


def test_the_file_of_images_is_checked(tmp_path: Path) -> None:
    text = f"""\
python: docker.io/library/python@{DIGEST}
node: library/node:24@{DIGEST}
tools: {PYTHON}
Go_lang: {PYTHON}
zap: {{}}
python: {PYTHON}
"""
    said = refused(catalogue_of(tmp_path, images_yml=text, a_yml="a: {image: $USINE_ANY_IMAGE}\n"))
    expected = "expected an image with its registry's host, tag and digest, such as"
    assert [line.split(", such as")[0] for line in said] == [
        f'images.yml:1:9: "python": {expected.removesuffix(", such as")}',
        f'images.yml:2:7: "node": {expected.removesuffix(", such as")}',
        "images.yml:3:1: tools is usine:gitlab.toolsImage of the settings, not here",
        'images.yml:4:1: "Go_lang": a name has lower-case letters, digits and single dashes',
        f'images.yml:5:6: "zap": {expected.removesuffix(", such as")}',
        'images.yml:6:1: the key "python" is here twice; the first is in line 1',
    ]
    assert refused(catalogue_of(tmp_path, images_yml="- x\n"))[0] == (
        "images.yml:1:1: expected a mapping from names to images"
    )


def test_every_third_party_image_is_used() -> None:
    published = "\n".join(read_catalogue(ROOT / FOLDER, SETTINGS).values())
    images = read_images(ROOT / FOLDER / IMAGES_FILE)
    assert [name for name, (image, _) in images.items() if str(image) not in published] == []

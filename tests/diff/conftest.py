"""One scratch repository per module. Plans are cached for the whole run, so that a test plans only its own changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.diff.scratch import Scratch


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory, caches: Path) -> Scratch:
    return Scratch(tmp_path_factory.mktemp("scratch"), caches)


@pytest.fixture
def scratch(repository: Scratch) -> Iterator[Scratch]:
    repository.clean()
    yield repository
    repository.clean()

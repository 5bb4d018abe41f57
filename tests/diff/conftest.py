"""One scratch repository a module. Plans are kept for the whole run: each test plans only what it changes."""

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

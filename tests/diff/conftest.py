"""One scratch repository a module: its plans are kept, so that each test plans only what it changes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.diff.scratch import Scratch


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Scratch:
    return Scratch(tmp_path_factory.mktemp("scratch"))


@pytest.fixture
def scratch(repository: Scratch) -> Iterator[Scratch]:
    repository.clean()
    yield repository
    repository.clean()

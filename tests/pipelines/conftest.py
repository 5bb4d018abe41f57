"""The one platform of the pipelines' tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.testing.platforms import PIPELINES_PORT_BASE, running
from tests.pipelines.factory import Factory


@pytest.fixture(scope="session")
def factory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Factory]:
    """A platform with two tenants and the catalogue of this checkout; its end is a test of its own."""
    with running(".lab-pipelines", PIPELINES_PORT_BASE, ("gitlab", "registry", "harbor", "openbao")) as lab:
        made = Factory(lab, tmp_path_factory.mktemp("factory"))
        yield made
        made.end()

"""One browser for all tests of pages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from chromium import Chromium


@pytest.fixture(scope="session")
def browser() -> Iterator[Chromium]:
    """Return a tab."""
    with Chromium() as tab:
        yield tab

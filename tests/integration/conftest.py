"""Fixtures of the black-box tests."""

import pytest

import proxy


@pytest.fixture
def setup(tmp_path):
    """CAs and a recording origin in a folder of the test's own; `setup.start()` runs certgate."""
    with proxy.Origin() as origin:
        yield proxy.Setup(tmp_path, origin)

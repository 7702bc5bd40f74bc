"""The demo that stayed up for all tests of this folder ends without a trace. This file is the last that uses it."""

import pytest

from tests.docs.telling import Told


@pytest.mark.integration
def test_ctrl_c_ends_what_stays_up(told: Told) -> None:
    """It was done, so this is no failure; and nothing of it runs or lies about."""
    status, left = told.end()

    assert status == 0
    assert left == []

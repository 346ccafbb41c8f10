"""Containers that their restart policy starts again."""

import pytest
from end_to_end.checks import LAUNCH_TYPES


@pytest.mark.parametrize("launch_type", LAUNCH_TYPES)
def test_a_container_is_started_again_once_it_has_run_for_its_period_and_not_for_ignored_codes(
    cloud, restarting, launch_type
):
    """Each run writes a line; `last` counts the lines."""
    ended = cloud.await_status(restarting[launch_type], "STOPPED", 90)
    codes = {each["name"]: each.get("exitCode") for each in ended["containers"]}
    assert codes == {"steady": 5, "early": 1, "ignored": 3, "last": 0}, ended

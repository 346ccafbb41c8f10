"""Services are made when they are first asked for, and those that are not offered are nobody's."""

import pytest

from longshore.main.services import ServicesOnDemand


def test_service_is_made_once_when_it_is_asked_for():
    services = ServicesOnDemand({"sts": ()})
    assert services["sts"].name == "sts"
    assert services["sts"] is services["sts"]


@pytest.mark.parametrize("name", ["eks", "interface", "no-such-service"])
def test_service_that_is_not_offered_is_missing(name):
    services = ServicesOnDemand({"sts": ()})
    assert services.get(name) is None
    with pytest.raises(KeyError):
        services[name]

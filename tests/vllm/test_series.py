"""The recorded series of the alerts' tests are those that the server's wheels declare."""

from local import image
from serving.monitoring.thresholds import FIRST_TOKEN_BUCKETS
from tests.unit.serving.monitoring import series


def test_the_recorded_series_are_those_of_the_wheel() -> None:
    packages = image.ensure_environment() / "lib/python3.12/site-packages"
    assert series.declared(packages) == series.recorded()
    assert series.first_token_buckets(packages) == FIRST_TOKEN_BUCKETS

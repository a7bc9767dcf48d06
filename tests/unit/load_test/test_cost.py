"""The price of tokens below a load test's table."""

from datetime import date
from typing import Any

import pytest

from config.settings import Settings
from load_test.cost import lines
from tests.unit.load_test.cells import result

GKE = {
    "kind": "gke",
    "project": "a-project",
    "zone": "us-east5-b",
    "capacity": {"kind": "reservation", "name": "r"},
}
SPOT = {**GKE, "capacity": {"kind": "compute-class", "rungs": [{"kind": "spot"}, {"kind": "on-demand"}]}}
ELSEWHERE = {**GKE, "zone": "mars-north1-a"}
FRESH, OLD = date(2026, 10, 15), date(2026, 11, 10)
BEST = [result(1), result(16, output_tokens_per_second=1982.0)]
"""1,982 output tokens a second at 16 requests is what the published v6e-4 run measured."""


@pytest.mark.parametrize(
    ("target", "results", "today", "expected"),
    [
        (
            GKE,
            BEST,
            FRESH,
            [
                "A million output tokens cost $1.51 at 16 at once, under constant load: $10.80 an hour for "
                "one v6e-4 (on-demand, us-east5, price read 2026-08-11)."
            ],
        ),
        (
            SPOT,
            BEST,
            OLD,
            [
                "A million output tokens cost $0.79 at 16 at once, under constant load: $5.61 an hour for "
                "one v6e-4 (spot, us-east5, price read 2026-08-11).",
                "The spot price of v6e in us-east5 was read on 2026-08-11, 91 days ago; check it in the "
                "Cloud Billing Catalog before you rely on it.",
            ],
        ),
        (
            ELSEWHERE,
            BEST,
            FRESH,
            [
                "Tokens have no price: The on-demand price of v6e in mars-north1 was asked for; the table "
                "has it for asia-northeast1, asia-south1, europe-west2, europe-west4, us-central1, us-east1, "
                "us-east5: choose one of them, or add a row with its source to serving/hardware/regions.py."
            ],
        ),
        ({"kind": "local"}, BEST, FRESH, []),
        (GKE, [], FRESH, []),
        (GKE, [result(1, output_tokens_per_second=0.0)], FRESH, []),
    ],
)
def test_the_price_of_tokens(
    target: dict[str, Any], results: list[dict[str, Any]], today: date, expected: list[str]
) -> None:
    assert lines(Settings.parse({"target": target}), results, today) == expected

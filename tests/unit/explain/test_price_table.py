"""The table of regions: every price and zone, with what disagrees and what is old."""

from datetime import date

from explain.__main__ import main
from explain.price_table import table
from serving.hardware.prices import PRICES
from serving.hardware.zones import FLEX_START_ZONES, V6E_ZONES

TODAY = date(2026, 11, 30)


def lines(today: date = TODAY) -> list[str]:
    return table(today).splitlines()


def test_every_reading_and_every_zone_has_a_place() -> None:
    found = lines()
    assert found[0].split() == ["region", "zones", "provisioning", "$", "a", "chip", "and", "hour", "read"]
    assert len(found) == 1 + sum(len(readings) for readings in PRICES.values()) + 3
    for zone in (*V6E_ZONES.zones, *FLEX_START_ZONES.granted):
        assert any(zone in line for line in found), zone


def test_conflicts_age_and_commitments_of_this_year() -> None:
    east = [line for line in lines() if line.startswith("us-east5")]
    used, other = (line for line in east if "flex-start" in line)
    assert used.endswith("2026-08-11  older than 90 days; sources disagree: used")
    assert other.endswith("2026-08-07  older than 90 days; sources disagree: not used")
    one, three = (line for line in east if "commitment" in line)
    assert ("1.89" in one) and one.endswith("2026-08-07  older than 90 days")
    assert three.endswith("2024-12-11  not used: older than 365 days")
    assert "older" not in next(line for line in lines(date(2026, 9, 1)) if "spot" in line)


def test_the_command_prints_it(capsys) -> None:
    assert main(["prices"]) == 0
    assert capsys.readouterr().out.startswith("region")

"""Google's messages that report missing capacity, and others."""

import pytest

from config.stockout import is_stockout

ERRORS = [
    ("Current errors: [GCE_STOCKOUT]: Instance 'x' creation failed: The zone …", True),
    ("ZONE_RESOURCE_POOL_EXHAUSTED: The zone 'projects/p/zones/z' does not have enough resources", True),
    ('Error code 8, message: There is no more capacity in the zone "us-east5-b"; you can try …', True),
    ("googleapi: Error 403: Quota 'TPUS_PER_TPU_FAMILY' exceeded. Limit: 0.0 in region us-east5.", False),
    ("googleapi: Error 503: The service is currently unavailable., backendError", False),
]


@pytest.mark.parametrize(("error", "expected"), ERRORS, ids=[row[0][:40] for row in ERRORS])
def test_only_missing_capacity_is_a_stockout(error: str, expected: bool) -> None:
    assert is_stockout([error]) is expected

"""Stockouts: Google's errors for a zone that has no capacity now."""

from collections.abc import Iterable

STOCKOUT_TEXTS = (
    "STOCKOUT",
    "RESOURCE_POOL_EXHAUSTED",
    "does not have enough resources",
    "no more capacity in the zone",
)
"""Parts of Google's error messages.

GKE: github.com/hashicorp/terraform-provider-google, issue 10121. Compute Engine:
https://cloud.google.com/compute/docs/troubleshooting/troubleshooting-resource-availability. Cloud TPU API:
github.com/GoogleCloudPlatform/magic-modules, pull request 7297.
"""


def is_stockout(errors: Iterable[str]) -> bool:
    """Returns whether Google's messages report missing capacity, and not a mistake in the request."""
    return any(text in error for error in errors for text in STOCKOUT_TEXTS)

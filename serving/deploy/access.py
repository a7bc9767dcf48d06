"""Access to the server: the variables of its container that belong to an environment and not to a release.

Staging and prod run one release for other web pages, so these variables do not change the release's name.
"""

from collections.abc import Sequence

from serving.deploy import container_layout


def access_environment(*, require_api_key: bool, allowed_origins: Sequence[str]) -> dict[str, str]:
    """Returns the variables that the request guard reads (agent/server/cors.py, agent/server/api_keys.py)."""
    environment: dict[str, str] = {}
    if allowed_origins:
        environment["TPUSERVE_ALLOWED_ORIGINS"] = ",".join(allowed_origins)
    if require_api_key:
        environment["TPUSERVE_API_KEY_FILE"] = container_layout.API_KEY_FILE
    return environment

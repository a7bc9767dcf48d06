"""What Google's load balancer must know of a server whose answers take minutes.

Fields: https://googlecloudplatform.github.io/gke-gateway-api
"""

from serving import layout
from serving.lifecycle import Lifecycle

ROUTE_SECONDS = 30
"""A request may take this much longer than the server's own limit: connecting, and the last bytes."""

# 0 to 3600: https://cloud.google.com/load-balancing/docs/enabling-connection-draining
MOST_DRAINING_SECONDS = 3600


def policies(life: Lifecycle) -> dict[str, dict[str, object]]:
    """The settings of the backend by kind of policy; both target the Service."""
    return {
        "GCPBackendPolicy": {
            # 30 seconds unless told, which cuts long answers off.
            "timeoutSec": life.shutdown_timeout_seconds + ROUTE_SECONDS,
            "connectionDraining": {"drainingTimeoutSec": min(life.drain_seconds, MOST_DRAINING_SECONDS)},
            "logging": {"enabled": True, "sampleRate": 1000000},
        },
        "HealthCheckPolicy": {
            "checkIntervalSec": life.readiness_period_seconds,
            "timeoutSec": life.probe_timeout_seconds,
            "healthyThreshold": 1,
            "unhealthyThreshold": life.readiness_failure_threshold,
            "config": {
                "type": "HTTP",
                # `/` is what Google asks unless told, and there is nothing.
                "httpHealthCheck": {
                    "portSpecification": "USE_FIXED_PORT",
                    "port": layout.PORT,
                    "requestPath": "/health",
                },
            },
        },
    }

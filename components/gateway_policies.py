"""What Google's load balancer must know of a server whose answers take minutes.

Fields: https://googlecloudplatform.github.io/gke-gateway-api
"""

from serving.deploy import container_layout
from serving.startup.timeouts import Lifecycle


def policies(life: Lifecycle) -> dict[str, dict[str, object]]:
    """The settings of the backend by kind of policy; both target the Service."""
    return {
        "GCPBackendPolicy": {
            # 30 seconds unless told, which cuts long answers off.
            "timeoutSec": life.route_seconds,
            "connectionDraining": {"drainingTimeoutSec": life.route_drain_seconds},
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
                    "port": container_layout.PORT,
                    "requestPath": "/health",
                },
            },
        },
    }

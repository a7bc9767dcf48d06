"""Load balancer in front of a GKE server: it terminates TLS, allows long answers and routes only `/v1`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pulumi
import pulumi_kubernetes as k8s

from components.gcp.static_address import StaticAddress, StaticAddressArgs
from serving.deploy import container_layout
from serving.startup.timeouts import Lifecycle

# Both classes are regional, so both accept the same certificate and call from the same proxy-only subnet
# (https://cloud.google.com/kubernetes-engine/docs/concepts/gateway-api#gatewayclass).
CLASSES = {"internal": "gke-l7-rilb", "public": "gke-l7-regional-external-managed"}


@dataclass(frozen=True, kw_only=True)
class GatewayArgs:
    """Arguments of the load balancer."""

    gateway: str
    """Prefix of the address, the Gateway and the route; name of the two policies."""
    region: str
    subnetwork: pulumi.Input[str]
    """Self link of the subnet from which an internal address is taken."""
    namespace: pulumi.Input[str]
    service: str
    """Name of the server's Service."""
    exposure: Literal["internal", "public"]
    hostname: str
    certificate: pulumi.Input[str]
    """Name of a Certificate Manager certificate in `region`."""
    lifecycle: Lifecycle


class Gateway(pulumi.ComponentResource):
    """A Gateway with its address and route, and the two policies of its backend."""

    address: pulumi.Output[str]
    """IP address that the hostname has to resolve to."""

    def __init__(self, name: str, args: GatewayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("tpuserve:kubernetes:Gateway", name, None, opts)
        internal = args.exposure == "internal"
        # An address or Gateway cannot switch between internal and public. Changing `exposure` creates new
        # ones, and deletes the old ones when the Gateway has its new address, hence the suffix of all names.
        exposed_name = f"{args.gateway}-{args.exposure}"
        child = pulumi.ResourceOptions(parent=self)
        address = StaticAddress(
            f"{name}-address-{args.exposure}",
            StaticAddressArgs(
                name=exposed_name,
                region=args.region,
                address_type="INTERNAL" if internal else "EXTERNAL",
                subnetwork=args.subnetwork if internal else None,
            ),
            opts=child,
        )
        gateway_api = "gateway.networking.k8s.io/v1"
        listener = {
            "name": "https",
            "protocol": "HTTPS",
            "port": 443,
            "hostname": args.hostname,
            "tls": {
                "mode": "Terminate",
                "options": {"networking.gke.io/cert-manager-certs": args.certificate},
            },
            "allowedRoutes": {"kinds": [{"kind": "HTTPRoute"}], "namespaces": {"from": "Same"}},
        }
        gateway = self._object(
            f"{name}-gateway-{args.exposure}",
            gateway_api,
            "Gateway",
            {"name": exposed_name, "namespace": args.namespace},
            {
                "gatewayClassName": CLASSES[args.exposure],
                "addresses": [{"type": "NamedAddress", "value": address.name}],
                # No listener for plain HTTP: a client would have sent its API key in plain text.
                "listeners": [listener],
            },
        )
        self._object(
            f"{name}-route-{args.exposure}",
            gateway_api,
            "HTTPRoute",
            {"name": exposed_name, "namespace": args.namespace},
            {
                "parentRefs": [{"name": gateway.id.apply(lambda _: exposed_name), "sectionName": "https"}],
                "hostnames": [args.hostname],
                # Metrics, health and documentation are not reachable from outside.
                "rules": [
                    {
                        "matches": [{"path": {"type": "PathPrefix", "value": "/v1"}}],
                        "backendRefs": [{"name": args.service, "port": container_layout.PORT}],
                    }
                ],
            },
        )
        for kind, default in backend_policies(args.lifecycle).items():
            target = {"group": "", "kind": "Service", "name": args.service}
            self._object(
                f"{name}-{kind}",
                "networking.gke.io/v1",
                kind,
                {"name": args.gateway, "namespace": args.namespace},
                {"default": default, "targetRef": target},
            )
        self.address = address.address
        self.register_outputs({"address": self.address})

    def _object(
        self,
        name: str,
        api_version: str,
        kind: str,
        metadata: Mapping[str, pulumi.Input[str]],
        spec: dict[str, object],
    ) -> k8s.apiextensions.CustomResource:
        return k8s.apiextensions.CustomResource(
            name,
            api_version=api_version,
            kind=kind,
            metadata=dict(metadata),
            spec=spec,
            opts=pulumi.ResourceOptions(parent=self),
        )


def backend_policies(lifecycle: Lifecycle) -> dict[str, dict[str, object]]:
    """Returns the `default` block of each policy of the backend, by the policy's kind.

    Fields: https://googlecloudplatform.github.io/gke-gateway-api
    """
    return {
        "GCPBackendPolicy": {
            # The default is 30 seconds, which would cut long answers off.
            "timeoutSec": lifecycle.route_seconds,
            "connectionDraining": {"drainingTimeoutSec": lifecycle.route_drain_seconds},
            "logging": {"enabled": True, "sampleRate": 1000000},
        },
        "HealthCheckPolicy": {
            "checkIntervalSec": lifecycle.readiness_period_seconds,
            "timeoutSec": lifecycle.probe_timeout_seconds,
            "healthyThreshold": 1,
            "unhealthyThreshold": lifecycle.readiness_failure_threshold,
            "config": {
                "type": "HTTP",
                # The default health-check path is `/`, which vLLM does not serve.
                "httpHealthCheck": {
                    "portSpecification": "USE_FIXED_PORT",
                    "port": container_layout.PORT,
                    "requestPath": "/ready",
                },
            },
        },
    }

"""The load balancer in front of a server: TLS at the door, long answers allowed, `/v1` and nothing else."""

from dataclasses import dataclass
from typing import Literal

import pulumi
import pulumi_gcp as gcp
import pulumi_kubernetes as k8s

from serving.deploy import container_layout
from serving.startup.timeouts import Lifecycle

# https://cloud.google.com/kubernetes-engine/docs/concepts/gateway-api#gatewayclass - both regional, so both
# take the same certificate and call from the same subnet of proxies.
CLASSES = {"internal": "gke-l7-rilb", "public": "gke-l7-regional-external-managed"}


@dataclass(frozen=True, kw_only=True)
class GatewayArgs:
    """`service` is the Service's name; `certificate` one of Certificate Manager's, in `region`."""

    gateway: str
    region: str
    subnetwork: pulumi.Input[str]
    namespace: pulumi.Input[str]
    service: str
    exposure: Literal["internal", "public"]
    hostname: str
    certificate: pulumi.Input[str]
    lifecycle: Lifecycle


class Gateway(pulumi.ComponentResource):
    """Gateway, route and the two policies that tell Google how to treat the server."""

    address: pulumi.Output[str]
    """The address that the hostname must resolve to."""

    def __init__(self, name: str, args: GatewayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("tpuserve:kubernetes:Gateway", name, None, opts)
        internal = args.exposure == "internal"
        # Neither an address nor a Gateway changes sides: the other side is another one.
        own = f"{args.gateway}-{args.exposure}"
        address = gcp.compute.Address(
            f"{name}-address",
            name=own,
            region=args.region,
            address_type="INTERNAL" if internal else "EXTERNAL",
            subnetwork=args.subnetwork if internal else None,
            # The Gateway uses the old one until it has the new one; the provider would delete it first.
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=False),
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
            f"{name}-gateway",
            gateway_api,
            "Gateway",
            (own, args.namespace),
            {
                "gatewayClassName": CLASSES[args.exposure],
                "addresses": [{"type": "NamedAddress", "value": address.name}],
                # No listener for plain HTTP: a key that was sent there would be lost already.
                "listeners": [listener],
            },
        )
        self._object(
            f"{name}-route",
            gateway_api,
            "HTTPRoute",
            (own, args.namespace),
            {
                "parentRefs": [{"name": gateway.id.apply(lambda _: own), "sectionName": "https"}],
                "hostnames": [args.hostname],
                # Metrics, health and documentation stay inside.
                "rules": [
                    {
                        "matches": [{"path": {"type": "PathPrefix", "value": "/v1"}}],
                        "backendRefs": [{"name": args.service, "port": container_layout.PORT}],
                    }
                ],
            },
        )
        for kind, default in policies(args.lifecycle).items():
            target = {"group": "", "kind": "Service", "name": args.service}
            self._object(
                f"{name}-{kind}",
                "networking.gke.io/v1",
                kind,
                (args.gateway, args.namespace),
                {"default": default, "targetRef": target},
            )
        self.address = address.address
        self.register_outputs({"address": self.address})

    def _object(
        self, name: str, api: str, kind: str, place: tuple[str, pulumi.Input[str]], spec: dict[str, object]
    ) -> k8s.apiextensions.CustomResource:
        return k8s.apiextensions.CustomResource(
            name,
            api_version=api,
            kind=kind,
            metadata={"name": place[0], "namespace": place[1]},
            spec=spec,
            opts=pulumi.ResourceOptions(parent=self),
        )


def policies(life: Lifecycle) -> dict[str, dict[str, object]]:
    """The settings of the backend by kind of policy; both target the Service.

    Fields: https://googlecloudplatform.github.io/gke-gateway-api
    """
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

"""Health checks and internal load balancing (Compute API v1)."""

from tools.fake_gcp.schema.kind import Kind, add
from tools.fake_gcp.schema.kinds.instances import GROUP
from tools.fake_gcp.schema.kinds.network import GLOBAL, LINK, NETWORK, REGIONAL, SUBNETWORK

CHECK = "gcp:compute/healthCheck:HealthCheck"
REGION_CHECK = "gcp:compute/regionHealthCheck:RegionHealthCheck"
BACKEND = "gcp:compute/regionBackendService:RegionBackendService"
URL_MAP = "gcp:compute/regionUrlMap:RegionUrlMap"
PROXY = "gcp:compute/regionTargetHttpsProxy:RegionTargetHttpsProxy"
STAMPED = {"selfLink": LINK, "creationTimestamp": "{time}"}

add(
    Kind(
        CHECK,
        "compute.healthChecks.insert",
        f"{GLOBAL}/healthChecks/{{name}}",
        computed=STAMPED,
    ),
    Kind(
        REGION_CHECK,
        "compute.regionHealthChecks.insert",
        f"{REGIONAL}/healthChecks/{{name}}",
        computed={**STAMPED, "region": "{region}"},
    ),
    Kind(
        BACKEND,
        "compute.regionBackendServices.insert",
        f"{REGIONAL}/backendServices/{{name}}",
        rename={
            "connectionDrainingTimeoutSec": "connectionDraining.drainingTimeoutSec",
            "enableCdn": "enableCDN",
            "haPolicy.fastIpMove": "fastIPMove",
            "healthChecks": "healthChecks[]",
        },
        refs={"healthChecks": REGION_CHECK, "network": NETWORK, "backends.group": GROUP},
        computed={**STAMPED, "region": "{region}", "fingerprint": "Zm9v", "generatedId": "{serial}"},
    ),
    Kind(
        "gcp:compute/forwardingRule:ForwardingRule",
        "compute.forwardingRules.insert",
        f"{REGIONAL}/forwardingRules/{{name}}",
        rename={
            "ipAddress": "IPAddress",
            "ipProtocol": "IPProtocol",
            "recreateClosedPsc": "",
            "serviceDirectoryRegistrations": "serviceDirectoryRegistrations[]",
        },
        refs={"network": NETWORK, "subnetwork": SUBNETWORK, "backendService": BACKEND, "target": PROXY},
        computed={**STAMPED, "region": "{region}", "ipAddress": "{ip}", "forwardingRuleId": "{serial}"},
    ),
    Kind(
        URL_MAP,
        "compute.regionUrlMaps.insert",
        f"{REGIONAL}/urlMaps/{{name}}",
        refs={"defaultService": BACKEND},
        computed={**STAMPED, "region": "{region}", "fingerprint": "Zm9v", "mapId": "{serial}"},
    ),
    Kind(
        PROXY,
        "compute.regionTargetHttpsProxies.insert",
        f"{REGIONAL}/targetHttpsProxies/{{name}}",
        rename={"certificateManagerCertificates": "sslCertificates"},
        refs={"urlMap": URL_MAP},
        computed={**STAMPED, "region": "{region}", "proxyId": "{serial}"},
    ),
)

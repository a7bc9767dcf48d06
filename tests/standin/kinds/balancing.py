"""Health checks and internal load balancing (Compute API v1)."""

from tests.standin.kind import Kind, add
from tests.standin.kinds.instances import GROUP
from tests.standin.kinds.network import GLOBAL, LINK, NETWORK, REGIONAL, SUBNETWORK

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
        replace="name project",
        computed=STAMPED,
    ),
    Kind(
        REGION_CHECK,
        "compute.regionHealthChecks.insert",
        f"{REGIONAL}/healthChecks/{{name}}",
        replace="name project region",
        computed={**STAMPED, "region": "{region}"},
    ),
    Kind(
        BACKEND,
        "compute.regionBackendServices.insert",
        f"{REGIONAL}/backendServices/{{name}}",
        replace="dynamicForwarding.forwardProxy.enabled dynamicForwarding.ipPortSelection.enabled "
        "haPolicy.fastIpMove loadBalancingScheme name network params.** project",
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
        replace="allPorts backendService description ipAddress ipCollection ipProtocol ipVersion "
        "isMirroringCollector loadBalancingScheme name network networkTier noAutomateDnsZone portRange "
        "ports project region serviceDirectoryRegistrations.** serviceLabel sourceIpRanges subnetwork",
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
        replace="name project",
        refs={"defaultService": BACKEND},
        computed={**STAMPED, "region": "{region}", "fingerprint": "Zm9v", "mapId": "{serial}"},
    ),
    Kind(
        PROXY,
        "compute.regionTargetHttpsProxies.insert",
        f"{REGIONAL}/targetHttpsProxies/{{name}}",
        replace="description httpKeepAliveTimeoutSec name project region",
        rename={"certificateManagerCertificates": "sslCertificates"},
        refs={"urlMap": URL_MAP},
        computed={**STAMPED, "region": "{region}", "proxyId": "{serial}"},
    ),
)

"""Network, subnetwork, router and NAT, firewall, addresses, security policies (Compute API v1)."""

from tools.fake_gcp.schema.kind import Kind, add

NETWORK = "gcp:compute/network:Network"
SUBNETWORK = "gcp:compute/subnetwork:Subnetwork"
ROUTER = "gcp:compute/router:Router"
GLOBAL = "projects/{project}/global"
REGIONAL = "projects/{project}/regions/{region}"
LINK = "https://www.googleapis.com/compute/v1/{id}"

WAF_EXCLUSIONS = {
    f"rules.preconfiguredWafConfig.exclusions.{name}": f"{name}ToExclude"
    for name in ("requestBodies", "requestCookies", "requestHeaders", "requestQueryParams", "requestUris")
}

add(
    Kind(
        NETWORK,
        "compute.networks.insert",
        f"{GLOBAL}/networks/{{name}}",
        rename={"routingMode": "routingConfig.routingMode", "deleteDefaultRoutesOnCreate": ""},
        computed={"selfLink": LINK, "gatewayIpv4": "", "numericId": "{serial}", "networkId": "{serial}"},
    ),
    Kind(
        SUBNETWORK,
        "compute.subnetworks.insert",
        f"{REGIONAL}/subnetworks/{{name}}",
        rename={"sendSecondaryIpRangeIfEmpty": ""},
        refs={"network": NETWORK},
        computed={"selfLink": LINK, "region": "{region}", "fingerprint": "Zm9v", "gatewayAddress": ""},
    ),
    Kind(
        ROUTER,
        "compute.routers.insert",
        f"{REGIONAL}/routers/{{name}}",
        refs={"network": NETWORK},
        computed={"selfLink": LINK, "region": "{region}"},
    ),
    Kind(
        "gcp:compute/routerNat:RouterNat",
        "compute.routers.patch",
        "{project}/{region}/{router}/{name}",
        body="nats[]",
        rename={
            "router": "",
            "initialNatIps": "",
            "subnetworks.sourceIpRangesToNats": "sourceIpRangesToNat",
        },
        refs={"router": ROUTER},
        computed={"region": "{region}"},
    ),
    Kind(
        "gcp:compute/firewall:Firewall",
        "compute.firewalls.insert",
        f"{GLOBAL}/firewalls/{{name}}",
        rename={
            "allows": "allowed",
            "allows.protocol": "IPProtocol",
            "denies": "denied",
            "denies.protocol": "IPProtocol",
            "enableLogging": "logConfig.enable",
        },
        refs={"network": NETWORK},
        computed={"selfLink": LINK, "creationTimestamp": "{time}"},
    ),
    Kind(
        "gcp:compute/address:Address",
        "compute.addresses.insert",
        f"{REGIONAL}/addresses/{{name}}",
        refs={"network": NETWORK, "subnetwork": SUBNETWORK},
        computed={"selfLink": LINK, "address": "{ip}", "region": "{region}", "creationTimestamp": "{time}"},
    ),
    Kind(
        "gcp:compute/globalAddress:GlobalAddress",
        "compute.globalAddresses.insert",
        f"{GLOBAL}/addresses/{{name}}",
        refs={"network": NETWORK},
        computed={"selfLink": LINK, "address": "{ip}", "creationTimestamp": "{time}"},
    ),
    Kind(
        "gcp:compute/securityPolicy:SecurityPolicy",
        "compute.securityPolicies.insert",
        f"{GLOBAL}/securityPolicies/{{name}}",
        rename=WAF_EXCLUSIONS,
        computed={"selfLink": LINK, "fingerprint": "Zm9v"},
    ),
    Kind(
        "gcp:compute/regionSecurityPolicy:RegionSecurityPolicy",
        "compute.regionSecurityPolicies.insert",
        f"{REGIONAL}/securityPolicies/{{name}}",
        rename=WAF_EXCLUSIONS,
        computed={"selfLink": LINK, "fingerprint": "Zm9v", "policyId": "{serial}"},
    ),
)

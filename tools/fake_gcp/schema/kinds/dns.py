"""DNS zones and records (DNS API v1)."""

from tools.fake_gcp.schema.kind import Kind, add

ZONE = "gcp:dns/managedZone:ManagedZone"

add(
    Kind(
        ZONE,
        "dns.managedZones.create",
        "projects/{project}/managedZones/{name}",
        rename={
            "forceDestroy": "",
            "reverseLookup": "",
            "cloudLoggingConfig.enableLogging": "enableLogging",
        },
        computed={
            "nameServers": ["ns-gcp-private.googledomains.com."],
            "creationTime": "{time}",
            "managedZoneId": "{serial}",
        },
    ),
    Kind(
        "gcp:dns/recordSet:RecordSet",
        "dns.resourceRecordSets.create",
        "projects/{project}/managedZones/{managedZone}/rrsets/{name}/{type}",
        rename={"managedZone": ""},
        refs={"managedZone": ZONE},
    ),
)

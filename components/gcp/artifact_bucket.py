"""The bucket of what takes long to make again: model weights and compile caches."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

DAY_SECONDS = 24 * 3600


@dataclass(frozen=True, kw_only=True)
class ArtifactBucketArgs:
    """`readers`, `writers` and `publishers` map a short name to an IAM member. Publishers may add objects
    below `published`, and neither change nor delete one. `kms_key` is a key's resource name."""

    bucket: str
    location: str
    readers: Mapping[str, pulumi.Input[str]]
    writers: Mapping[str, pulumi.Input[str]]
    publishers: Mapping[str, pulumi.Input[str]]
    published: str
    kms_key: str | None


class ArtifactBucket(pulumi.ComponentResource):
    """One private, versioned bucket, and who may read and write it."""

    bucket: pulumi.Output[str]
    """The bucket's name."""
    location: pulumi.Output[str]
    """Its region, in capitals as Cloud Storage writes it."""

    def __init__(
        self, name: str, args: ArtifactBucketArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("tpuserve:gcp:ArtifactBucket", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        bucket = gcp.storage.Bucket(
            f"{name}-bucket",
            name=args.bucket,
            # Cloud Storage answers in capitals, and a difference in case would replace the bucket.
            location=args.location.upper(),
            storage_class="STANDARD",
            uniform_bucket_level_access=True,
            public_access_prevention="enforced",
            versioning={"enabled": True},
            soft_delete_policy={"retention_duration_seconds": 7 * DAY_SECONDS},
            lifecycle_rules=[
                # A file that was overwritten can come back for a month; staged weights never change.
                {"action": {"type": "Delete"}, "condition": {"days_since_noncurrent_time": 30}},
                {"action": {"type": "AbortIncompleteMultipartUpload"}, "condition": {"age": 2}},
            ],
            encryption={"default_kms_key_name": args.kms_key} if args.kms_key else None,
            force_destroy=False,
            opts=child,
        )
        # The bucket may be protected and outlive its stack; nobody's access to it should.
        access = pulumi.ResourceOptions(parent=self, protect=False, retain_on_delete=False)
        grants = {
            **{key: ("roles/storage.objectViewer", member) for key, member in args.readers.items()},
            **{key: ("roles/storage.objectUser", member) for key, member in args.writers.items()},
        }
        for key, (role, member) in grants.items():
            gcp.storage.BucketIAMMember(
                f"{name}-{key}", bucket=bucket.name, role=role, member=member, opts=access
            )
        below = f"projects/_/buckets/{args.bucket}/objects/{args.published}"
        for key, member in args.publishers.items():
            gcp.storage.BucketIAMMember(
                f"{name}-{key}",
                bucket=bucket.name,
                # Without storage.objects.delete, which an overwrite needs as well
                # (https://cloud.google.com/storage/docs/access-control/iam-roles).
                role="roles/storage.objectCreator",
                member=member,
                condition={
                    "title": f"below {args.published}",
                    "expression": f'resource.name.startsWith("{below}")',
                },
                opts=access,
            )
        self.bucket = bucket.name
        self.location = bucket.location
        self.register_outputs({"bucket": self.bucket, "location": self.location})

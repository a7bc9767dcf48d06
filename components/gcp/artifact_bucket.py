"""Bucket for files that take long to download or compile again: model weights and compile caches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

DAY_SECONDS = 24 * 3600


@dataclass(frozen=True, kw_only=True)
class ArtifactBucketArgs:
    """Arguments of the bucket. Each mapping has a short name as key and an IAM member as value."""

    bucket: str
    """Physical name, unique in all of Google Cloud."""
    location: str
    """Region of the bucket."""
    readers: Mapping[str, pulumi.Input[str]]
    writers: Mapping[str, pulumi.Input[str]]
    publishers: Mapping[str, pulumi.Input[str]]
    """Members that may add objects below `published`, and may neither change nor delete one."""
    published: Sequence[str]
    """Prefixes of the objects that publishers add, each with its final slash."""
    kms_key: str | None
    """Resource name of the key that encrypts the objects; None for Google's own key."""


class ArtifactBucket(pulumi.ComponentResource):
    """A private, versioned bucket with its IAM members."""

    bucket: pulumi.Output[str]
    """The bucket's name."""
    location: pulumi.Output[str]
    """Region in capitals, the form in which Cloud Storage returns it."""

    def __init__(
        self, name: str, args: ArtifactBucketArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("tpuserve:gcp:ArtifactBucket", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        bucket = gcp.storage.Bucket(
            f"{name}-bucket",
            name=args.bucket,
            # Cloud Storage returns the location in capitals. A difference in case would replace the bucket.
            location=args.location.upper(),
            storage_class="STANDARD",
            uniform_bucket_level_access=True,
            public_access_prevention="enforced",
            versioning={"enabled": True},
            soft_delete_policy={"retention_duration_seconds": 7 * DAY_SECONDS},
            lifecycle_rules=[
                # An overwritten object can be restored for 30 days. Staged weights never change.
                {"action": {"type": "Delete"}, "condition": {"days_since_noncurrent_time": 30}},
                {"action": {"type": "AbortIncompleteMultipartUpload"}, "condition": {"age": 2}},
            ],
            encryption={"default_kms_key_name": args.kms_key} if args.kms_key else None,
            force_destroy=False,
            opts=child,
        )
        # The bucket may be protected and outlive its stack. Access to it must end with the stack.
        access = pulumi.ResourceOptions(parent=self, protect=False, retain_on_delete=False)
        grants = {
            **{key: ("roles/storage.objectViewer", member) for key, member in args.readers.items()},
            **{key: ("roles/storage.objectUser", member) for key, member in args.writers.items()},
        }
        for key, (role, member) in grants.items():
            gcp.storage.BucketIAMMember(
                f"{name}-{key}", bucket=bucket.name, role=role, member=member, opts=access
            )
        objects = f"projects/_/buckets/{args.bucket}/objects/"
        published = [f'resource.name.startsWith("{objects}{prefix}")' for prefix in args.published]
        for key, member in args.publishers.items():
            gcp.storage.BucketIAMMember(
                f"{name}-{key}",
                bucket=bucket.name,
                # This role lacks storage.objects.delete, which an overwrite also needs
                # (https://cloud.google.com/storage/docs/access-control/iam-roles).
                role="roles/storage.objectCreator",
                member=member,
                condition={
                    "title": f"below {', '.join(args.published)}",
                    "expression": " || ".join(published),
                },
                opts=access,
            )
        self.bucket = bucket.name
        self.location = bucket.location
        self.register_outputs({"bucket": self.bucket, "location": self.location})

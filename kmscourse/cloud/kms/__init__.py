"""AWS Key Management Service, as its documents describe it. One file for each concern."""

from kmscourse.cloud.kms import (
    agreement,
    aliases,
    cryptographic,
    custom_key_stores,
    grants,
    imports,
    lifecycle,
    macs,
    multi_region,
    policies,
    rotation,
    signing,
    tags,
    usage,
)
from kmscourse.cloud.kms.service import KMS

__all__ = [
    "KMS",
    "agreement",
    "aliases",
    "cryptographic",
    "custom_key_stores",
    "grants",
    "imports",
    "lifecycle",
    "macs",
    "multi_region",
    "policies",
    "rotation",
    "signing",
    "tags",
    "usage",
]

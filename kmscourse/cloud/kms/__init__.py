"""AWS Key Management Service, as its documents describe it. One file for each concern."""

from kmscourse.cloud.kms import aliases, cryptographic, lifecycle, policies
from kmscourse.cloud.kms.service import KMS

__all__ = ["KMS", "aliases", "cryptographic", "lifecycle", "policies"]

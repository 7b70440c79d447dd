"""Amazon EBS: volumes and snapshots that are ciphertext under a data key of their own."""

from kmscourse.cloud.at_rest.blocks import StoredDisk
from kmscourse.cloud.at_rest.ebs.disk import Disk
from kmscourse.cloud.at_rest.ebs.service import EBS

__all__ = ["EBS", "Disk", "StoredDisk"]

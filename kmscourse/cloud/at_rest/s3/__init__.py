"""Amazon S3: what moto leaves out, and that is encryption. One file a step.

permissions.py        what a request needs, and S3's condition keys
choice.py             which encryption it asks for
bucket_encryption.py  or else the bucket's default
data_keys.py          data keys from KMS, from S3's root key, or from you
envelope.py           AES-256-GCM, and what is kept beside the ciphertext
disk.py               moto's objects with ciphertext in them; what a thief would find
replication.py        copies to other buckets, by replication_rules.py
replication_events.py what it tells of those that failed
service.py            the sequence
"""

from kmscourse.cloud.at_rest.s3.disk import StoredObject
from kmscourse.cloud.at_rest.s3.service import S3

__all__ = ["S3", "StoredObject"]

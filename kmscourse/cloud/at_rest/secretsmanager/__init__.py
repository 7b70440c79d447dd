"""AWS Secrets Manager: each version of a secret under a data key of its own, in each Region.

versions.py   versions and their staging labels; what a thief would find
request.py    one request: which secret, which value, and KMS for both
operations.py what moto leaves out: values, labels, rotation, replicas

Rotation functions do not run here: RotateSecret makes the version AWSPENDING, and whoever plays
the function does its four steps.
"""

from kmscourse.cloud.at_rest.secretsmanager.operations import SecretsManager
from kmscourse.cloud.at_rest.secretsmanager.versions import StoredSecret

__all__ = ["SecretsManager", "StoredSecret"]

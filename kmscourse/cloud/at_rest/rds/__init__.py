"""Amazon RDS and Aurora: databases whose storage is ciphertext under a data key of its own."""

from kmscourse.cloud.at_rest.rds.service import RDS

__all__ = ["RDS"]

"""AWS Certificate Manager: certificates requested, validated, issued, renewed and exported.

moto's ACM hands out self-signed certificates, issues them after a minute without looking at DNS,
and never renews. Here they are signed by a CA, once Route 53 has the record, on the simulated
clock. `service` has the operations, `lifecycle` what time does, `issuing` the X.509.
"""

from kmscourse.cloud.acm.service import ACM

__all__ = ["ACM"]

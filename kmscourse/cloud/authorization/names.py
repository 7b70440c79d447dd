"""What the documents of a decision are called, so that a reader finds the one to change."""

from __future__ import annotations

from functools import lru_cache

from kmscourse.cloud.authorization.model import Compiled, CompiledPolicies, Layer

__all__ = ["label", "level_name", "spoken_resource", "title_of"]

_TITLES = {"kms": "key policy", "s3": "bucket policy", "sts": "role trust policy"}


def title_of(service: str) -> str:
    """What the policy of a service's resources is called."""
    return _TITLES.get(service, "resource-based policy")


def label(policies: CompiledPolicies, service: str, layer: Layer, level: int, index: int) -> str:
    """Which document: its kind, its name or number if it needs one, and where it is attached."""
    documents = _documents(policies, layer, level)
    named = documents[index].name if index < len(documents) else ""
    title = title_of(service) if layer is Layer.RESOURCE else layer.short
    if named:
        title = f'{title} "{named}"'
    elif len(documents) > 1:
        title = f"{title} {index + 1}"
    if layer in (Layer.RCP, Layer.SCP):
        return f"{title} at {level_name(policies, layer, level)}"
    return title


def level_name(policies: CompiledPolicies, layer: Layer, level: int) -> str:
    """A level of the organization in words."""
    levels = (policies.scps if layer is Layer.SCP else policies.rcps) or ()
    if level == 0:
        return "the organization's root"
    if level == len(levels) - 1:
        return "the account"
    return f"organizational unit level {level}"


def _documents(policies: CompiledPolicies, layer: Layer, level: int) -> tuple[Compiled, ...]:
    if layer is Layer.RCP or layer is Layer.SCP:
        levels = policies.rcps if layer is Layer.RCP else policies.scps
        return (levels or ())[level]
    found = {
        Layer.ENDPOINT: policies.vpc_endpoint,
        Layer.RESOURCE: policies.resource,
        Layer.IDENTITY: policies.identity,
        Layer.BOUNDARY: policies.boundary,
        Layer.SESSION: policies.session,
    }
    return found.get(layer) or ()


@lru_cache(maxsize=8192)
def spoken_resource(resource: str) -> str:
    """A resource's ARN in words."""
    parts = resource.split(":", 5)
    if len(parts) < 6:
        return resource
    rest = parts[5]
    if parts[2] == "kms":
        return rest.replace("key/", "key ", 1) if rest.startswith("key/") else rest
    if parts[2] == "s3":
        bucket, slash, key = rest.partition("/")
        return f"object {key} in bucket {bucket}" if slash else f"bucket {bucket}"
    if parts[2] == "iam" and rest.startswith("role/"):
        return f"role {rest.rsplit('/', 1)[-1]}"
    return resource

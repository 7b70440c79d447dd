"""From HTTP to an API call and back, by botocore's service models.

Requests and errors of every protocol go through moto's own parsers and serializers. KMS
speaks plain JSON and is called most, so the JSON protocol is read and written here: strictly,
for AWS answers a wrong type with SerializationException.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs, urlsplit

from botocore.awsrequest import AWSPreparedRequest
from botocore.model import OperationModel, ServiceModel, Shape
from botocore.parsers import create_parser
from moto.core.errors import ErrorShape
from moto.core.model import OperationModel as MotoOperationModel
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import normalize_request
from moto.core.routing import get_service_router
from moto.core.serialize import SerializationContext, get_serializer_class
from moto.core.utils import get_service_model

from kmscourse.cloud.errors import AWSError

#: Signing names that differ from botocore's service names.
_SERVICE_OF_SIGNATURE = {"monitoring": "cloudwatch", "tagging": "resourcegroupstaggingapi"}
_HOST = re.compile(
    # A bucket only where it must be one: "s3.us-east-1" is a service and a Region.
    r"^(?:(?P<bucket>.+?)\.)??(?P<service>[a-z0-9-]+?)(?:-accelerate|-external-1|-fips)?"
    r"(?:\.dualstack)?(?:[.-](?P<region>[a-z]{2}(?:-[a-z]+)+-\d))?\.amazonaws\.com(?:\.cn)?$"
)
_SCOPE = re.compile(
    r"(?P<access_key>[A-Za-z0-9]+)/\d{8}/(?P<region>[a-z0-9-]*)/(?P<service>[a-z0-9-]+)/aws4_request"
)
_JSON = "application/x-amz-json-1.1"
_UNEXPECTED_STRUCTURE = "Start of structure or map found where not expected."


@dataclass(slots=True)
class Response:
    """An HTTP response: status, headers and body."""

    status: int
    headers: dict[str, str]
    body: bytes

    def as_tuple(self) -> tuple[int, dict[str, str], bytes]:
        """As moto hands responses to clients."""
        return self.status, self.headers, self.body


@dataclass(slots=True)
class Envelope:
    """What can be told of a request before its parameters are read."""

    service: str
    region: str
    access_key: str | None
    session_token: str | None
    secure: bool
    user_agent: str
    headers: dict[str, str] = field(repr=False)


@lru_cache(maxsize=64)
def model(service: str) -> ServiceModel | None:
    """botocore's model of a service, or None where botocore knows none of that name."""
    try:
        return get_service_model(service)
    except Exception:  # botocore and moto raise many kinds for an unknown service
        return None


def _speaks_json(service: ServiceModel) -> bool:
    """Whether clients speak JSON with a service: also where a newer protocol is listed first."""
    listed = service.metadata.get("protocols", [service.metadata["protocol"]])
    return "json" in listed and "targetPrefix" in service.metadata


def is_aws(host: str) -> bool:
    """Whether a host is one of AWS's endpoints."""
    return host.lower().rstrip(".").endswith((".amazonaws.com", ".amazonaws.com.cn"))


def scope(credential: str) -> tuple[str, str] | None:
    """The service and Region in the scope of a signature (SigV4); None where there is none."""
    found = _SCOPE.search(credential)
    return (found["service"], found["region"] or "us-east-1") if found else None


def open_envelope(http: AWSPreparedRequest) -> Envelope:
    """Read who signed a request, for which service and Region, from its headers and host."""
    if hasattr(http.body, "read"):  # a stream is read once: by us, by moto, by the trail
        http.body = http.body.read()
    headers = {
        str(name).lower(): value.decode("latin-1") if isinstance(value, bytes) else str(value)
        for name, value in http.headers.items()
    }
    url = urlsplit(http.url)
    scope = _SCOPE.search(headers.get("authorization", ""))
    token = headers.get("x-amz-security-token")
    access_key = None
    if scope is None and url.query:
        query = parse_qs(url.query)
        scope = _SCOPE.search(query.get("X-Amz-Credential", [""])[0])
        token = token or query.get("X-Amz-Security-Token", [None])[0]
        access_key = query.get("AWSAccessKeyId", [None])[0]
    host = _HOST.match(url.hostname or "")
    if scope is not None:
        service, region = scope["service"], scope["region"]
        access_key = scope["access_key"]
    else:
        service, region = (host["service"], host["region"]) if host else ("", None)
    return Envelope(
        service=_SERVICE_OF_SIGNATURE.get(service, service),
        region=region or (host["region"] if host else None) or "us-east-1",
        access_key=access_key,
        session_token=token,
        secure=url.scheme == "https",
        user_agent=headers.get("user-agent", ""),
        headers=headers,
    )


def read(http: AWSPreparedRequest, envelope: Envelope) -> tuple[str, dict[str, Any]]:
    """The operation a request names, and its parameters as boto3 would write them.

    Returns:
        The operation's name, or "" where the service or the operation is not known.

    Raises:
        AWSError: SerializationException, for JSON that is not of the operation's shape.
    """
    service = model(envelope.service)
    if service is None:
        return "", {}
    target = envelope.headers.get("x-amz-target")
    if target is not None and _speaks_json(service):
        name = target.rpartition(".")[2]
        if name not in service.operation_names:
            raise AWSError("UnknownOperationException", status=400)
        return name, _read_json(http.body or b"", service.operation_model(name))
    request = normalize_request(http)
    try:
        operation, uri_parameters = get_service_router(envelope.service).match(request)
        parser = PROTOCOL_PARSERS[service.protocol](operation)
        parameters = parser.parse(
            {
                "method": request.method,
                "values": request.values,
                "headers": request.headers,
                # A stream (an object's bytes) is for moto to read, once: nobody here needs it.
                "body": b"" if operation.has_streaming_input else request.get_data(),
                "url_path": request.path,
                "url_params": uri_parameters,
            }
        )
    except AWSError:
        raise
    except Exception:  # what moto's parsers cannot read, moto's responses answer themselves
        return _named_operation(request), {}
    return operation.name, parameters


def _named_operation(request: Any) -> str:
    return str(request.values.get("Action", ""))


def _read_json(body: bytes | str, operation: OperationModel) -> dict[str, Any]:
    try:
        parsed = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise AWSError("SerializationException", "") from error
    if not isinstance(parsed, dict):
        raise AWSError(
            "SerializationException", "Start of structure or map found where not expected."
        )
    if operation.input_shape is None:
        return {}
    value: dict[str, Any] = _from_json(parsed, operation.input_shape)
    return value


_JSON_NAMES = {str: "STRING_VALUE", bool: "TRUE_VALUE", int: "NUMBER_VALUE", float: "DECIMAL_VALUE"}


def _from_json(value: Any, shape: Shape) -> Any:
    kind = shape.type_name
    if kind == "structure" and isinstance(value, dict):
        members = shape.members
        return {
            name: _from_json(value[name], member)
            for name, member in members.items()
            if value.get(name) is not None
        }
    if kind == "list" and isinstance(value, list):
        return [_from_json(item, shape.member) for item in value if item is not None]
    if kind == "map" and isinstance(value, dict):
        return {str(key): _from_json(item, shape.value) for key, item in value.items()}
    if kind == "string" and isinstance(value, str):
        return value
    if kind == "boolean" and isinstance(value, bool):
        return value
    if kind in ("integer", "long") and isinstance(value, int) and not isinstance(value, bool):
        return value
    if kind == "blob" and isinstance(value, str):
        try:
            return base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError) as error:
            raise AWSError("SerializationException", "Invalid base64 encoding") from error
    if kind == "timestamp" and isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return datetime.fromtimestamp(value, UTC)
        except (ValueError, OverflowError, OSError) as error:
            raise AWSError("SerializationException", "") from error
    if kind in ("list", "structure", "map"):
        words = _UNEXPECTED_STRUCTURE if isinstance(value, dict) else "Expected list or null"
        raise AWSError("SerializationException", words)
    found = _JSON_NAMES.get(type(value), "START_OBJECT")
    wanted = {"string": "String", "boolean": "Boolean", "blob": "Blob"}.get(kind, "Integer")
    raise AWSError("SerializationException", f"{found} can not be converted to a {wanted}")


def respond(service: str, operation: str, result: dict[str, Any], request_id: str) -> Response:
    """The HTTP response that carries a result of a service that is ours to answer."""
    described = model(service)
    assert described is not None
    operation_model = described.operation_model(operation)
    if described.metadata["protocol"] == "json":
        empty = operation_model.output_shape is None
        text = "" if empty else json.dumps(result, default=_json_value, separators=(",", ":"))
        return Response(200, {"Content-Type": _JSON, "x-amzn-RequestId": request_id}, text.encode())
    serializer = get_serializer_class(service, described.protocol)(
        operation_model=operation_model,
        context=SerializationContext(request_id=request_id),
    )
    return _serialized(serializer.serialize(result), request_id)


def refuse(service: str, operation: str, error: AWSError, request_id: str) -> Response:
    """The HTTP response that carries an error, in the protocol of the service."""
    described = model(service)
    if described is None or _speaks_json(described):
        body = json.dumps({"__type": error.code, "message": error.message}).encode()
        return Response(error.status, {"Content-Type": _JSON, "x-amzn-RequestId": request_id}, body)
    shape = ErrorShape(
        error.code,
        {
            "type": "structure",
            "members": {},
            "error": {
                "code": error.code,
                "httpStatusCode": error.status,
                "senderFault": error.status < 500,
            },
            "exception": True,
        },
    )
    operation_model = (
        described.operation_model(operation)
        if operation in described.operation_names
        else MotoOperationModel({"name": operation or "Unknown"}, described)
    )
    serializer = get_serializer_class(service, described.protocol)(
        operation_model=operation_model, context=SerializationContext(request_id=request_id)
    )
    written: dict[str, Any] = {}
    serializer._serialize_error_metadata(written, error, shape)
    response = serializer._serialized_error_to_response(
        serializer._create_default_response(), error, shape, written
    )
    response["status_code"] = error.status
    return _serialized(response, request_id)


def result(service: str, operation: str, response: Response) -> dict[str, Any]:
    """What moto answered, as boto3 would give it; for a response that is no error."""
    described = model(service)
    assert described is not None
    parser = create_parser(described.protocol)
    written = {"status_code": response.status, "headers": response.headers, "body": response.body}
    read = parser.parse(written, described.operation_model(operation).output_shape)
    read.pop("ResponseMetadata", None)
    return dict(read)


def error_code(response: Response) -> tuple[str, str] | None:
    """The error code and message in a response that moto wrote; None where it succeeded."""
    if response.status < 400:
        return None
    text = response.body.decode("utf-8", "replace")
    if text.lstrip().startswith("{"):
        try:
            body = json.loads(text)
        except ValueError:
            body = {}
        code = str(body.get("__type") or body.get("code") or body.get("Code") or "")
        return code.rpartition("#")[2], str(body.get("message") or body.get("Message") or "")
    code_match = re.search(r"<Code>([^<]*)</Code>", text)
    message = re.search(r"<Message>([^<]*)</Message>", text)
    if code_match:
        return code_match[1], message[1] if message else ""
    return {403: "AccessDenied", 404: "NoSuchKey", 304: "NotModified"}.get(
        response.status, str(response.status)
    ), ""


def _serialized(response: Any, request_id: str) -> Response:
    body = response["body"]
    headers = {str(name): str(value) for name, value in response["headers"].items()}
    headers.setdefault("x-amzn-RequestId", request_id)
    headers.setdefault("x-amz-request-id", request_id)
    return Response(
        response["status_code"], headers, body.encode() if isinstance(body, str) else body
    )


def _json_value(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, datetime):
        return value.timestamp()
    raise TypeError(f"{type(value).__name__} has no place in a response")

"""AWS's service models as botocore ships them, loaded when first needed: services, operations and their shapes."""

from __future__ import annotations

import os
from enum import Enum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from treadle_local.aws.errors import AwsError
from treadle_local.aws.query_names import NAMESPACES, with_query_names

if TYPE_CHECKING:
    from botocore.loaders import Loader
    from botocore.model import OperationModel, ServiceModel


class Protocol(Enum):
    """How operations travel over HTTP, by botocore's names."""

    JSON = "json"
    QUERY = "query"
    REST_JSON = "rest-json"
    REST_XML = "rest-xml"
    CBOR = "smithy-rpc-v2-cbor"


# Requests carry the name that they are signed for, which is not always botocore's name of the service.
_BY_SIGNING_NAME = {
    "monitoring": "cloudwatch",
    "execute-api": "apigatewaymanagementapi",
    "states": "stepfunctions",
    "tagging": "resourcegroupstaggingapi",
}

# The services of the hot path must not wait for a model.
_PROTOCOLS = {
    "cloudformation": Protocol.QUERY,
    "dynamodb": Protocol.JSON,
    "dynamodbstreams": Protocol.JSON,
    "iam": Protocol.QUERY,
    "lambda": Protocol.REST_JSON,
    "sns": Protocol.QUERY,
    "sqs": Protocol.JSON,
    "sts": Protocol.QUERY,
}


def service_signed_as(signing_name: str, path: str) -> str:
    """botocore's name of the service that a request is for."""
    if signing_name == "apigateway":
        return "apigatewayv2" if path.startswith("/v2/") else "apigateway"
    return _BY_SIGNING_NAME.get(signing_name, signing_name)


def protocol_of(service: str) -> Protocol:
    """The protocol that botocore speaks with a service."""
    return _PROTOCOLS.get(service) or _modelled_protocol(service)


@cache
def service_model(service: str) -> ServiceModel:
    """The model of a service by botocore's name.

    Raises: AwsError UnknownOperationException when there is no such service.
    """
    from botocore.exceptions import DataNotFoundError, UnknownServiceError
    from botocore.model import ServiceModel

    try:
        return ServiceModel(_loader().load_service_model(service, "service-2"), service)
    except (DataNotFoundError, UnknownServiceError) as error:
        raise AwsError("UnknownOperationException", f"{service} is no AWS service.", status=404) from error


def service_folders(loader: Loader) -> list[str]:
    """The names of all services that a loader may know.

    botocore's own list looks into each of 400 folders, and does so again for each loader: 15 ms each time.
    """
    places = (Path(path) for path in loader.search_paths)
    found = (entry.name for place in places if place.is_dir() for entry in os.scandir(place) if entry.is_dir())
    return sorted(set(found))


@cache
def _loader() -> Loader:
    from botocore.loaders import Loader

    class Quick(Loader):
        def list_available_services(self, type_name: str) -> list[str]:
            return service_folders(self)

    return Quick()


@cache
def operation_model(service: str, operation: str) -> OperationModel:
    """The model of one operation.

    Raises: AwsError UnknownOperationException when the service has none of that name.
    """
    return _operation_of(service_model(service), service, operation)


@cache
def query_model(service: str) -> ServiceModel:
    """The model of a service by the names of the query protocol, also where AWS's model has them no more."""
    from botocore.model import ServiceModel

    namespace = NAMESPACES.get(service)
    if namespace is None:
        return service_model(service)
    description = _loader().load_service_model(service, "service-2")
    return ServiceModel(with_query_names(description, namespace), service)


@cache
def query_operation(service: str, operation: str) -> OperationModel:
    """The model of one operation by the names of the query protocol.

    Raises: AwsError UnknownOperationException when the service has none of that name.
    """
    return _operation_of(query_model(service), service, operation)


def _operation_of(model: ServiceModel, service: str, operation: str) -> OperationModel:
    from botocore.model import OperationNotFoundError

    try:
        return model.operation_model(operation)
    except OperationNotFoundError as error:
        raise AwsError("UnknownOperationException", f"{operation} is no operation of {service}.") from error


@cache
def _modelled_protocol(service: str) -> Protocol:
    name = str(service_model(service).resolved_protocol)
    try:
        return Protocol(name)
    except ValueError as error:
        message = f"The {name} protocol of {service} is not in Treadle's emulator yet."
        raise AwsError("UnknownOperationException", message) from error

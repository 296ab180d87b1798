"""PutParameter, DeleteParameter(s) and labels.

Source: https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
"""

from __future__ import annotations

import base64
import re
import secrets

from treadle_local.aws.errors import AwsError
from treadle_local.aws.service import Caller, Params, Result
from treadle_local.ssm.parameters import DEFAULT_KEY, Parameter, Store, Version, check_name
from treadle_local.ssm.refusals import constraint, invalid, not_here, parameter_not_found
from treadle_local.ssm.tags import checked_tags

_TYPES = ("String", "StringList", "SecureString")
_TIERS = ("Standard", "Advanced", "Intelligent-Tiering")
_LIMIT_BYTES = {"Standard": 4096, "Advanced": 8192}
"""Source: https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html"""
_MOST_VERSIONS = 100
"""Source: https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-versions.html"""
_DESCRIPTION_LIMIT = 1024
_PATTERN_LIMIT = 1024
_NAMES_LIMIT = 10
_MOST_LABELS = 10
_LABEL_LIMIT = 100
_LABEL = re.compile(r"(?!aws|ssm)[A-Za-z_.\-][A-Za-z0-9_.\-]*", re.IGNORECASE)
"""Source: https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-labels.html"""


def put_parameter(store: Store, params: Params, now: float, caller: Caller) -> Result:
    name, value = store.plain(str(params.get("Name", ""))), str(params.get("Value", ""))
    found = store.find(name)
    if found is None:
        check_name(store.region, name)
    elif not params.get("Overwrite"):
        message = (
            "The parameter already exists. To overwrite this value, set the overwrite option in the request to true."
        )
        raise AwsError("ParameterAlreadyExists", message)
    _refuse_what_is_not_here(params)
    tags = checked_tags(params.get("Tags") or (), {})
    if tags and found is not None:
        raise invalid(
            "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please "
            "remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or "
            "RemoveTagsFromResource."
        )
    before = found.latest if found is not None else None
    kind = _type(params, before)
    _check_value(value, kind, params)
    version = Version(
        number=before.number + 1 if before is not None else 1,
        type=kind,
        value=value,
        cipher=_cipher(value) if kind == "SecureString" else "",
        key_id=_key(params, kind),
        tier=_tier(params, value, before),
        data_type=str(params.get("DataType") or "text"),
        description=_kept(params, "Description", before.description if before is not None else None),
        allowed_pattern=_kept(params, "AllowedPattern", before.allowed_pattern if before is not None else None),
        modified=now,
        modified_by=caller.arn,
    )
    if found is None:
        store.add(Parameter(name, store.arn(name), [version], tags))
    else:
        _make_room(found)
        found.versions.append(version)
    return {"Version": version.number, "Tier": version.tier}


def _refuse_what_is_not_here(params: Params) -> None:
    data_type = params.get("DataType") or "text"
    if data_type in {"aws:ec2:image", "aws:ssm:integration"}:
        raise not_here(f"parameters of the data type {data_type}")
    if data_type != "text":
        raise invalid(f"The following data type is not supported: {data_type} (Data type names are all lowercase.)")
    if params.get("Policies") not in (None, "", "[]", "{}"):
        raise not_here("policies of parameters")


def _type(params: Params, before: Version | None) -> str:
    kind = params.get("Type")
    if kind is None:
        if before is None:
            raise invalid("A parameter type is required when you create a parameter.")
        return before.type
    if kind not in _TYPES:
        raise constraint(kind, "type", f"satisfy enum value set: [{', '.join(_TYPES)}]")
    if before is not None and "SecureString" in {kind, before.type} and kind != before.type:
        raise AwsError(
            "HierarchyTypeMismatchException",
            "Parameter Store doesn't support changing a parameter type in a hierarchy. For example, you can't change a "
            "parameter from a String type to a SecureString type. You must create a new, unique parameter.",
        )
    return str(kind)


def _check_value(value: str, kind: str, params: Params) -> None:
    if not value:
        raise constraint(value, "value", "have length greater than or equal to 1")
    description, pattern = str(params.get("Description") or ""), params.get("AllowedPattern")
    if len(description) > _DESCRIPTION_LIMIT:
        raise constraint(description, "description", f"have length less than or equal to {_DESCRIPTION_LIMIT}")
    if kind == "StringList" and not all(value.split(",")):
        raise invalid("A StringList is items with commas between them, and no item is empty.")
    if not pattern:
        return
    if len(str(pattern)) > _PATTERN_LIMIT:
        raise constraint(pattern, "allowedPattern", f"have length less than or equal to {_PATTERN_LIMIT}")
    try:
        compiled = re.compile(str(pattern))
    except re.error as problem:
        message = f"The allowed pattern {pattern} is no regular expression: {problem}"
        raise AwsError("InvalidAllowedPatternException", message) from None
    for item in value.split(",") if kind == "StringList" else (value,):
        if compiled.search(item) is None:
            message = f"Parameter value, cannot be validated against allowedPattern: {pattern}"
            raise AwsError("ParameterPatternMismatchException", message)


def _tier(params: Params, value: str, before: Version | None) -> str:
    """The tier of the new version. Raises: AwsError ValidationException for a value that it has no room for."""
    wanted = str(params.get("Tier") or (before.tier if before is not None else "Standard"))
    size = len(value.encode())
    if wanted not in _TIERS:
        raise constraint(wanted, "tier", f"satisfy enum value set: [{', '.join(_TIERS)}]")
    if wanted == "Intelligent-Tiering":
        is_advanced = size > _LIMIT_BYTES["Standard"] or (before is not None and before.tier == "Advanced")
        wanted = "Advanced" if is_advanced else "Standard"
    if wanted == "Standard" and before is not None and before.tier == "Advanced":
        raise invalid(
            "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the "
            "advanced-parameter tier to the standard-parameter tier. If necessary, you can delete the advanced "
            "parameter and recreate it as a standard parameter."
        )
    if size > _LIMIT_BYTES[wanted]:
        more = (
            " To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier. For more "
            "information, see https://docs.aws.amazon.com/systems-manager/latest/userguide/"
            "parameter-store-advanced-parameters.html"
            if wanted == "Standard"
            else ""
        )
        raise invalid(
            f"{wanted} tier parameters support a maximum parameter value of {_LIMIT_BYTES[wanted]} characters.{more}"
        )
    return wanted


def _key(params: Params, kind: str) -> str | None:
    """What encrypts; each version that names no key goes back to the account's own."""
    key = params.get("KeyId")
    if kind == "SecureString":
        return str(key or DEFAULT_KEY)
    if key:
        raise invalid("KeyId is required for SecureString type parameter only.")
    return None


def _kept(params: Params, member: str, before: str | None) -> str | None:
    value = params.get(member)
    return before if value is None else str(value) or None


def _cipher(value: str) -> str:
    """What a ciphertext of KMS looks like; nothing of the value is in it but its length."""
    return base64.b64encode(b"\x01\x02\x02\x00x" + secrets.token_bytes(150 + len(value.encode()))).decode("ascii")


def _make_room(parameter: Parameter) -> None:
    """Raises: AwsError ParameterMaxVersionLimitExceeded where the oldest version has a label."""
    if len(parameter.versions) < _MOST_VERSIONS:
        return
    oldest = parameter.versions[0]
    if oldest.labels:
        raise AwsError(
            "ParameterMaxVersionLimitExceeded",
            f"You attempted to create a new version of {parameter.name} by calling the PutParameter API with the "
            f"overwrite flag. Version {oldest.number}, the oldest version, can't be deleted because it has a label "
            "associated with it. Move the label to another version of the parameter, and try again.",
        )
    del parameter.versions[0]


def delete_parameter(store: Store, params: Params) -> Result:
    name = str(params.get("Name", ""))
    if not store.remove(name):
        raise parameter_not_found(name)
    return {}


def delete_parameters(store: Store, params: Params) -> Result:
    names = [str(name) for name in params.get("Names") or ()]
    if not 1 <= len(names) <= _NAMES_LIMIT:
        raise constraint(names, "names", f"have length between 1 and {_NAMES_LIMIT}")
    deleted = [name for name in names if store.remove(name)]
    return {"DeletedParameters": deleted, "InvalidParameters": [name for name in names if name not in deleted]}


def label_parameter_version(store: Store, params: Params) -> Result:
    """Moves labels to a version; a label is at one version of a parameter only."""
    parameter, labels = store.at(params.get("Name")), _labels(params)
    version = parameter.version(str(params.get("ParameterVersion") or ""))
    invalid_labels = [label for label in labels if not _LABEL.fullmatch(label)]
    legal = [label for label in labels if label not in invalid_labels]
    if len({*version.labels, *legal}) > _MOST_LABELS:
        raise AwsError(
            "ParameterVersionLabelLimitExceeded",
            f"A parameter version can have a maximum of {_MOST_LABELS} labels.",
        )
    for label in legal:
        for other in parameter.versions:
            if label in other.labels:
                other.labels.remove(label)
        version.labels.append(label)
    return {"InvalidLabels": invalid_labels, "ParameterVersion": version.number}


def unlabel_parameter_version(store: Store, params: Params) -> Result:
    parameter, labels = store.at(params.get("Name")), _labels(params)
    version = parameter.version(str(params.get("ParameterVersion") or ""))
    removed = [label for label in labels if label in version.labels]
    version.labels = [label for label in version.labels if label not in removed]
    return {"RemovedLabels": removed, "InvalidLabels": [label for label in labels if label not in removed]}


def _labels(params: Params) -> list[str]:
    labels = [str(label) for label in params.get("Labels") or ()]
    if not 1 <= len(labels) <= _MOST_LABELS:
        raise constraint(labels, "labels", f"have length between 1 and {_MOST_LABELS}")
    for label in labels:
        if not 1 <= len(label) <= _LABEL_LIMIT:
            raise constraint(label, "labels", f"have length between 1 and {_LABEL_LIMIT}")
    return labels

"""What happens during a deployment or a removal as JSON, one object a line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_never

from treadle_infra.deploy.happenings import Happening, ResourceMoved, SignedIn, Uploaded, Working

if TYPE_CHECKING:
    from treadle_infra.deploy.origins import Origin
    from treadle_infra.deploy.plan import Plan, PlannedChange


def happening_json(told: Happening) -> dict[str, Any]:
    match told:
        case SignedIn():
            return {
                "event": "signed-in",
                "stack": told.stack,
                "account": told.account,
                "region": told.region,
                "identity": told.identity,
                "endpoint": told.endpoint_url,
            }
        case Working():
            return {"event": "working", "text": told.text}
        case Uploaded():
            return {
                "event": "uploaded",
                "artifacts": told.artifacts,
                "sent": told.sent,
                "bytes": told.sent_bytes,
                "seconds": round(told.seconds, 3),
            }
        case ResourceMoved():
            return {
                "event": "resource",
                "resource": told.logical_id,
                "type": told.type,
                **origin_json(told.origin),
                "verb": told.verb,
                "progress": told.progress,
                "undoing": told.undoing,
                "reason": told.reason,
                "seconds": round(told.seconds, 3),
            }
        case _:
            assert_never(told)


def plan_json(plan: Plan) -> dict[str, Any]:
    permissions = [
        {
            "change": change.kind,
            "holder": change.statement.holder,
            "effect": change.statement.effect,
            "actions": list(change.statement.actions),
            "resources": list(change.statement.resources),
            "by": change.statement.by,
            "condition": change.statement.condition,
        }
        for change in plan.permissions
    ]
    changes = [_change_json(change) for change in plan.changes]
    return {"event": "plan", "stack": plan.stack_name, "changes": changes, "permissions": permissions}


def origin_json(origin: Origin) -> dict[str, Any]:
    where = origin.where
    return {"step": origin.step, "file": where.path if where else None, "line": where.line if where else None}


def _change_json(change: PlannedChange) -> dict[str, Any]:
    return {
        "kind": change.kind,
        "resource": change.logical_id,
        "type": change.type,
        **origin_json(change.origin),
        "properties": list(change.properties),
        "consequence": change.consequence,
        "isLoss": change.is_loss,
    }

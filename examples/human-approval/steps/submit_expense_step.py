import time
from uuid import uuid4

from expenses.decisions import FREE_LIMIT

config = {
    "name": "SubmitExpense",
    "type": "api",
    "path": "/expenses",
    "method": "POST",
    "description": "Takes an expense; one of 100 or more waits for a person.",
    "bodySchema": {
        "type": "object",
        "properties": {
            "employee": {"type": "string", "minLength": 1},
            "amount": {"type": "number", "minimum": 0.01, "maximum": 1000000},
            "waitSeconds": {"type": "integer", "minimum": 0, "maximum": 604800},
        },
        "required": ["employee", "amount"],
    },
    "responseSchema": {
        201: {"type": "object", "properties": {"id": {"type": "string"}, "status": {"enum": ["approved", "waiting"]}}}
    },
    "emits": [
        {"topic": "approval.needed", "label": "100 or more", "conditional": True},
        {"topic": "expense.decided", "label": "less than 100", "conditional": True},
    ],
    "flows": ["expenses"],
}

ONE_DAY_SECONDS = 24 * 3600


async def handler(req, context):
    body, expense_id = req["body"], uuid4().hex
    status = "approved" if body["amount"] < FREE_LIMIT else "waiting"
    expense = {
        "id": expense_id,
        "employee": body["employee"],
        "amount": body["amount"],
        "status": status,
        "expiresAt": int(time.time()) + body.get("waitSeconds", ONE_DAY_SECONDS),
    }
    await context.state.set("expenses", expense_id, expense)
    if status == "waiting":
        await context.emit({"topic": "approval.needed", "data": expense})
    else:
        await context.emit({"topic": "expense.decided", "data": expense})
    return {"status": 201, "body": {"id": expense_id, "status": status}}

config = {
    "name": "TellApprovers",
    "type": "event",
    "description": "Shows the expense to those who may decide.",
    "subscribes": ["approval.needed"],
    "flows": ["expenses"],
}


async def handler(expense, context):
    shown = {"employee": expense["employee"], "amount": expense["amount"], "status": "waiting"}
    await context.streams.inbox.set("approvers", expense["id"], shown)
    context.logger.info("Waiting for a decision", {"id": expense["id"], "amount": expense["amount"]})

config = {
    "name": "PayExpense",
    "type": "event",
    "description": "Pays what was approved, and takes it out of the inbox.",
    "subscribes": ["expense.decided"],
    "flows": ["expenses"],
}


async def handler(expense, context):
    status = "paid" if expense["status"] == "approved" else "refused"
    operations = [{"type": "set", "path": "status", "value": status}]
    await context.state.update("expenses", expense["id"], operations)
    await context.streams.inbox.delete("approvers", expense["id"])
    context.logger.info(f"Expense {status}", {"id": expense["id"]})

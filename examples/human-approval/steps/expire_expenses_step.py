import time

from expenses.decisions import decide

config = {
    "name": "ExpireExpenses",
    "type": "cron",
    "description": "Refuses what has waited too long.",
    "cron": "*/5 * * * *",
    "emits": ["expense.decided"],
    "flows": ["expenses"],
}


async def handler(context):
    for expense in await context.state.get_group("expenses"):
        if expense["status"] != "waiting" or expense["expiresAt"] > time.time():
            continue
        decided = await decide(context, expense["id"], False, "nobody in time")
        if decided is not None:
            await context.emit({"topic": "expense.decided", "data": decided})

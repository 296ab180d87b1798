"""An app that has every kind of trigger and uses every kind of permission: what the mutation run takes apart."""

from __future__ import annotations

from pathlib import Path

from support.projects import write

NAME = "shop"

_PLACE = """\
config = {"name": "Place", "type": "api", "path": "/orders", "method": "POST", "emits": ["order.placed"]}


async def handler(req, context):
    order = req["body"]
    await context.state.set("orders", order["id"], order)
    await context.streams.orders.set("all", order["id"], order)
    context.logger.info("placed", {"id": order["id"]})
    await context.emit({"topic": "order.placed", "data": order})
    return {"status": 201, "body": order}
"""
_READ = """\
config = {"name": "Read", "type": "api", "path": "/orders/:id", "method": "GET", "emits": []}


async def handler(req, context):
    identifier = req["pathParams"]["id"]
    context.logger.info("read", {"id": identifier})
    return {"status": 200, "body": {
        "order": await context.state.get("orders", identifier),
        "shipped": await context.streams.orders.get("all", identifier),
        "listed": len(await context.streams.orders.get_group("all")),
        "watched": [await context.state.get("watched", kind + identifier) for kind in ("state", "stream")],
    }}
"""
_SHIP = """\
import json
import os
import urllib.request

config = {
    "name": "Ship",
    "type": "event",
    "subscribes": ["order.placed"],
    "emits": ["order.shipped"],
    "permissions": [{"actions": ["ssm:GetParameter"], "resources": ["arn:aws:ssm:*:*:parameter/shop/carrier"]}],
}


def carrier():
    scope = f"{os.environ['AWS_ACCESS_KEY_ID']}/20260101/us-east-1/ssm/aws4_request"
    headers = {
        "authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
        "x-amz-security-token": os.environ["AWS_SESSION_TOKEN"],
        "x-amz-target": "AmazonSSM.GetParameter",
        "content-type": "application/x-amz-json-1.1",
    }
    body = json.dumps({"Name": "/shop/carrier"}).encode()
    request = urllib.request.Request(os.environ["AWS_ENDPOINT_URL"], body, headers)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["Parameter"]["Value"]


async def handler(data, context):
    if data.get("broken"):
        raise ValueError("no such address")
    context.logger.info("shipping", {"id": data["id"]})
    await context.streams.orders.set("all", data["id"], {**data, "carrier": carrier()})
    await context.emit({"topic": "order.shipped", "data": data})
"""
_BILL = """\
config = {"name": "Bill", "type": "event", "subscribes": ["order.shipped"], "emits": []}


async def handler(data, context):
    if data.get("unpaid"):
        raise ValueError("no money")
    order = await context.state.get("orders", data["id"])
    await context.state.set("orders", data["id"], {**order, "billed": True})
    context.logger.info("billed", {"id": data["id"]})
"""
_TIDY = """\
config = {"name": "Tidy", "type": "cron", "cron": "0 3 * * *", "emits": ["tidied"]}


async def handler(context):
    orders = await context.state.get_group("orders")
    for order in orders:
        await context.state.delete("orders", order["id"])
    context.logger.info("tidied", {"ids": [order["id"] for order in orders]})
    await context.emit({"topic": "tidied", "data": {"ids": [order["id"] for order in orders]}})
"""
_MORNING = """\
config = {
    "name": "Morning", "type": "cron", "cron": "0 9 * * *", "timezone": "Europe/Berlin", "emits": [],
}


async def handler(context):
    await context.streams.news.set("all", "morning", {"good": "morning"})
    context.logger.info("good morning")
"""
_NOTE = """\
config = {"name": "Note", "type": "event", "subscribes": ["tidied"], "emits": []}


async def handler(data, context):
    for identifier in data["ids"]:
        await context.state.set("tidied", identifier, {"id": identifier})
    context.logger.info("noted", {"ids": data["ids"]})
"""
_TIDIED = """\
config = {"name": "Tidied", "type": "api", "path": "/tidied/:id", "method": "GET", "emits": []}


async def handler(req, context):
    context.logger.info("asked")
    return {"status": 200, "body": {"tidied": await context.state.get("tidied", req["pathParams"]["id"])}}
"""
_WATCH = """\
from motia import state, stream

config = {
    "name": "Watch",
    "triggers": [state(condition=lambda change: change["scope"] == "orders"), stream("orders")],
    "enqueues": [],
}


async def handler(change, context):
    key = change["key"] if context.is_state() else change["id"]
    await context.state.set("watched", change["type"] + key, True)
    context.logger.info("seen", {"key": key})
"""
_STREAM = 'config = {"name": "%s", "schema": {"type": "object", "properties": {}}}\n'
_AUTHENTICATE = """\
def authenticate(request):
    return {"name": "somebody"}
"""
_SETTINGS = f'name = "{NAME}"\n\n[streams]\nauthenticate = "auth.py:authenticate"\n'


def permission_app(folder: Path) -> Path:
    """The app's project in a folder of its own."""
    project = folder / NAME
    for name, text in (
        *(("place", _PLACE), ("read", _READ), ("ship", _SHIP), ("bill", _BILL)),
        *(("tidy", _TIDY), ("morning", _MORNING), ("note", _NOTE), ("tidied", _TIDIED), ("watch", _WATCH)),
    ):
        write(project, f"steps/{name}_step.py", text)
    for name in ("orders", "news"):
        write(project, f"steps/{name}_stream.py", _STREAM % name)
    write(project, "auth.py", _AUTHENTICATE)
    return write(project, "treadle.toml", _SETTINGS)

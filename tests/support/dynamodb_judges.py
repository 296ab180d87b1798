"""Implementations of DynamoDB side by side: the same operation asked of each over HTTP, answers in comparable form."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from types import TracebackType
from typing import Any, cast

from support.dev import wait_until
from support.dynamodb_operations import TABLE
from support.judges import free_port
from treadle_local.aws.wire import is_document, is_sequence

Shape = dict[str, Any]
_HEADERS = {
    "content-type": "application/x-amz-json-1.0",
    "authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/dynamodb/aws4_request, "
    "SignedHeaders=host, Signature=0",
}


FAULT = "fault"


class Asked:
    """One implementation, asked in wire form on a kept connection."""

    def __init__(self, endpoint: str) -> None:
        self._host = endpoint.partition("://")[2]
        self._connection = http.client.HTTPConnection(self._host, timeout=60)

    def send(self, operation: str, params: Mapping[str, Any]) -> None:
        """Asks; `answer` is to follow before the next is asked."""
        headers = {**_HEADERS, "x-amz-target": f"DynamoDB_20120810.{operation}"}
        self._connection.request("POST", "/", json.dumps(params), headers)

    def answer(self) -> Shape:
        """The answer to what was sent; for a refusal its `code`, `message` and the codes of its `reasons`."""
        response = self._connection.getresponse()
        content = response.read()
        try:
            found: Shape = json.loads(content) if content else {}
        except ValueError:  # a page that says what broke
            return {"code": FAULT, "message": content.decode()[:200], "reasons": []}
        if response.status < 300:
            return found
        reasons = found.get("CancellationReasons") or ()
        return {
            "code": str(found.get("__type", response.status)).rpartition("#")[2],
            "message": found.get("message") or found.get("Message") or "",
            "reasons": [reason.get("Code") for reason in reasons],
        }

    def ask(self, operation: str, params: Mapping[str, Any]) -> Shape:
        self.send(operation, params)
        return self.answer()

    def close(self) -> None:
        self._connection.close()


class MotoServer:
    """moto in a process of its own."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.endpoint = f"http://127.0.0.1:{port}"
        self._log = (folder / "moto.log").open("w")
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_until("moto", self._answers)
        except AssertionError:
            self.stop()
            raise

    def _answers(self) -> bool:
        if self._process.poll() is not None:
            raise AssertionError(f"moto ended with {self._process.returncode}; see {self._log.name}")
        asked = Asked(self.endpoint)
        try:
            return "TableNames" in asked.ask("ListTables", {})
        except (OSError, http.client.HTTPException):
            return False
        finally:
            asked.close()

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(20)
        self._log.close()

    def __enter__(self) -> MotoServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def comparable(operation: str, params: Mapping[str, Any], answer: Shape) -> Shape:
    """The answer without what no two implementations must share: messages, the order of a scan and of equal keys."""
    if "code" in answer:
        return {"code": answer["code"], "reasons": answer["reasons"]}
    kept = {name: normal(value) for name, value in answer.items() if name not in ("ResponseMetadata",)}
    if "Items" in kept and (operation == "Scan" or "IndexName" in params):
        kept["Items"] = sorted(kept["Items"], key=_text)
    if operation == "BatchGetItem":
        by_table: dict[str, list[Any]] = kept["Responses"]
        kept["Responses"] = {name: sorted(items, key=_text) for name, items in by_table.items()}
    return kept


def normal(value: Any) -> Any:
    """The value with numbers by magnitude and sets in order."""
    if is_sequence(value):
        return [normal(part) for part in value]
    if not is_document(value):
        return value
    if len(value) == 1:
        ((kind, content),) = value.items()
        match kind, content:
            case "N", str():
                return {"N": _number(content)}
            case "NS", list():
                return {"NS": sorted(map(_number, cast("list[str]", content)), key=str)}
            case (("SS" | "BS"), list()):
                return {kind: sorted(cast("list[str]", content))}
            case _:
                pass
    return {name: normal(part) for name, part in value.items()}


def _number(text: str) -> Decimal | str:
    try:
        return Decimal(text).normalize() + 0
    except InvalidOperation:
        return text


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def touched_keys(operation: str, params: Mapping[str, Any]) -> list[Shape]:
    """The keys of the items that an operation is about."""
    match operation:
        case "PutItem":
            return [_key(params["Item"])]
        case "UpdateItem" | "DeleteItem" | "GetItem":
            return [_key(params["Key"])]
        case "BatchGetItem":
            return list(params["RequestItems"][TABLE]["Keys"])
        case "BatchWriteItem":
            bodies = [body for request in params["RequestItems"][TABLE] for body in request.values()]
            return [_key(body.get("Item") or body["Key"]) for body in bodies]
        case "TransactWriteItems":
            bodies = [body for member in params["TransactItems"] for body in member.values()]
            return [_key(body.get("Item") or body["Key"]) for body in bodies]
        case _:
            return []


def _key(item: Shape) -> Shape:
    return {name: item[name] for name in ("pk", "sk") if name in item}

"""Receipt handles: they name their queue, message and receive, so that none needs to be remembered."""

from __future__ import annotations

import base64
import binascii

from treadle_local.sqs.errors import invalid_receipt


def receipt_for(queue_token: str, serial: int, receive_count: int) -> str:
    """An opaque handle, different for each receive of a message."""
    return base64.b64encode(f"{queue_token}:{serial}:{receive_count}".encode()).decode()


def serial_of(queue_token: str, receipt: str) -> int:
    """The serial number of the message that the receipt stands for.

    Raises: `ReceiptHandleIsInvalid` if this queue never issued such a handle.
    """
    try:
        token, serial, _ = base64.b64decode(receipt, validate=True).decode("ascii").split(":")
        if token == queue_token:
            return int(serial)
    except (binascii.Error, ValueError):
        pass
    raise invalid_receipt(receipt)

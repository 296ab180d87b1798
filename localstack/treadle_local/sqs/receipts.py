"""Receipt handles: they name their queue, message and receive, so that none needs to be remembered."""

from __future__ import annotations

from treadle_local.sqs.errors import invalid_receipt


def receipt_for(queue_token: str, serial: int, receive_count: int) -> str:
    """An opaque handle, different for each receive of a message."""
    return f"{queue_token}-{serial}-{receive_count}"


def parse_receipt(queue_token: str, receipt: str) -> tuple[int, int]:
    """The serial number of the message that the receipt stands for, and which of its receives it is of.

    Raises: `ReceiptHandleIsInvalid` if this queue never issued such a handle.
    """
    token, _, rest = receipt.partition("-")
    if token == queue_token:
        serial, _, receive_count = rest.partition("-")
        if serial.isdecimal() and receive_count.isdecimal():
            return int(serial), int(receive_count)
    raise invalid_receipt(receipt)

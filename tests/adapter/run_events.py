"""Run as a script: gives each event of stdin (one JSON object a line) to the handler of a step's folder.

Each answer is a line in the file `answers` of the folder: `{"result": ...}` or `{"error": type, "message": ...}`.
"""

from __future__ import annotations

import importlib
import json
import sys


class LambdaContext:
    aws_request_id = "8f5e1a52-0000-4000-8000-000000000001"
    invoked_function_arn = "arn:aws:lambda:us-east-2:123456789012:function:shop--dev--Step:live"

    def __init__(self, remaining_ms: list[int]) -> None:
        self._remaining_ms = remaining_ms

    def get_remaining_time_in_millis(self) -> int:
        return self._remaining_ms.pop(0) if len(self._remaining_ms) > 1 else self._remaining_ms[0]


def main(folder: str, entry: str) -> None:
    sys.path.insert(0, folder)
    handler = importlib.import_module(f"treadle.entry.{entry}").handler
    with open(f"{folder}/answers", "w") as answers:  # noqa: PTH123 - what this script imports hides what a step imports
        for line in sys.stdin:
            given = json.loads(line)
            try:
                answer = {"result": handler(given["event"], LambdaContext(given["remaining_ms"]))}
            except Exception as error:
                answer = {"error": type(error).__name__, "message": str(error)}
            answers.write(json.dumps(answer) + "\n")
    with open(f"{folder}/modules", "w") as modules:  # noqa: PTH123
        modules.write("\n".join(sys.modules))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])

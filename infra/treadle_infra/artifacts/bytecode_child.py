"""Compiles Python files to bytecode. Runs as a script on the Lambda runtime's interpreter; imports nothing of ours.

Reads from stdin {"version": "3.13", "files": [{"path": "/var/task/app/steps/a_step.py", "source": "<base64>"}]} and
writes to stdout {"version": "3.13", "files": [{"bytecode": "<base64>"} | {"error": "...", "line": 3}]}, in that order.
"""

from __future__ import annotations

import base64
import importlib.util
import json
import marshal
import sys

_UNCHECKED_HASH = (0b01).to_bytes(4, "little")
"""The flags of a .pyc that is used without looking at its source. Source: https://peps.python.org/pep-0552/"""


def _compile(path: str, source: bytes) -> dict[str, str | int]:
    try:
        code = compile(source, path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as problem:
        return {"error": str(problem), "line": getattr(problem, "lineno", None) or 1}
    header = importlib.util.MAGIC_NUMBER + _UNCHECKED_HASH + importlib.util.source_hash(source)
    return {"bytecode": base64.b64encode(header + marshal.dumps(code)).decode()}


def _main() -> None:
    request = json.load(sys.stdin)
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    files: list[dict[str, str]] = request["files"] if version == request["version"] else []
    answers = [_compile(file["path"], base64.b64decode(file["source"])) for file in files]
    json.dump({"version": version, "files": answers}, sys.stdout)


if __name__ == "__main__":
    _main()

"""`make mutants`: takes away every statement of a rich app, one at a time, and sees whether its flow notices."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from support.dev import Dev
from support.permission_app import permission_app
from support.permission_flow import Flow, FlowError, Statement, removed, statements

WANTED_SHARE = 0.95


def start(folder: Path) -> Dev:
    """The app, deployed, with what its own permission is about."""
    dev = Dev(permission_app(folder), "--clock", "manual", "--no-watch")
    for group in dev.client("logs").describe_log_groups()["logGroups"]:  # the flow takes days of the manual clock
        dev.client("logs").delete_retention_policy(logGroupName=group["logGroupName"])
    dev.client("ssm").put_parameter(Name="/shop/carrier", Value="a donkey", Type="String")
    return dev


def survives(dev: Dev, statement: Statement, patience_seconds: float) -> str | None:
    """What the flow misses without a statement; None where it misses nothing."""
    with removed(dev, statement):
        try:
            Flow(dev, patience_seconds).run()
        except FlowError as error:
            return str(error)
    return None


def main() -> int:
    """Prints what killed each mutant, and how many were; 1 where too many survive."""
    chosen = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder, start(Path(folder)) as dev:
        began = time.monotonic()
        Flow(dev, 20).run()
        _say(f"the flow as it is: passed in {time.monotonic() - began:.1f} s")
        mutants = [one for one in statements(dev) if not chosen or any(word in str(one) for word in chosen)]
        survivors: list[Statement] = []
        for mutant in mutants:
            reason = survives(dev, mutant, 3)
            _say(f"{'SURVIVED' if reason is None else 'killed  '}  {mutant}  {reason or ''}")
            survivors += [mutant] if reason is None else []
            _settle(dev)
            Flow(dev, 20).run()  # whatever comes next is not the last mutant's fault
        killed = len(mutants) - len(survivors)
        _say(f"{killed}/{len(mutants)} killed in {time.monotonic() - began:.0f} s")
    return int(killed < WANTED_SHARE * len(mutants))


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a command's output


def _settle(dev: Dev) -> None:
    """Lets what the last mutant left behind come to its end."""
    for _ in range(5):
        dev.advance(120)
        time.sleep(0.05)


if __name__ == "__main__":
    raise SystemExit(main())

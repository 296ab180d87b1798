"""Cron triggers of configs: expressions and timezones, read or refused."""

from __future__ import annotations

from difflib import get_close_matches
from functools import lru_cache
from zoneinfo import available_timezones

from treadle_infra.app.cron import parse_cron
from treadle_infra.app.cron_fields import CronProblem
from treadle_infra.app.cron_readings import MotiaVersion, read_as_motia_1, refuse_other_readings
from treadle_infra.app.findings import Finding, error, warning
from treadle_infra.app.model import CronDialect, CronTrigger
from treadle_infra.discovery.config_models import CronStep, CronTrigger1
from treadle_infra.discovery.places import ConfigPlaces, Keys

_UTC = ("UTC", "Etc/UTC")


def read_cron_trigger(
    read: CronStep | CronTrigger1, dialect: CronDialect, places: ConfigPlaces, findings: list[Finding], at: Keys = ()
) -> CronTrigger | None:
    """The trigger; None after adding what is wrong with it to `findings`. `at`: the keys under which it stands.

    In the dialect `and` an expression must mean the same to crontab and to the Motia that the config is written for;
    the numbers of Motia 1.0's days of the week become names.
    """
    expression, key, version = _expression(read)
    where = places.of(*at, key)
    is_right = True
    try:
        parse_cron(expression, dialect)
        named = read_as_motia_1(expression) if version == "1.0" and dialect == "and" else None
        if named is not None:
            message = f"`{expression}` is read as Motia 1.0 reads it, whose week is 1 (Sunday) to 7: `{named}`"
            findings.append(warning("cron-days-from-one", message, where, "write the days by name"))
            expression = named
        if dialect == "and":
            refuse_other_readings(expression, version)
    except CronProblem as problem:
        findings.append(error(problem.code, problem.message, where, problem.hint))
        is_right = False
    timezone = read.timezone
    if timezone is not None and timezone not in timezones():
        message = f"`{timezone}` is not a timezone of the IANA database"
        findings.append(error("cron-timezone-unknown", message, places.of(*at, "timezone"), _meant(timezone)))
        is_right = False
    return CronTrigger(expression, None if timezone in _UTC else timezone, dialect, where) if is_right else None


def _expression(read: CronStep | CronTrigger1) -> tuple[str, str, MotiaVersion]:
    """The expression, its key, and the Motia that it is written for."""
    return (read.cron, "cron", "0.x") if isinstance(read, CronStep) else (read.expression, "expression", "1.0")


@lru_cache(maxsize=1)
def timezones() -> frozenset[str]:
    """The names of the IANA database as this machine has it, which both AWS and the Python here take."""
    return frozenset(name for name in available_timezones() if name not in ("localtime", "Factory", "posixrules"))


def _meant(timezone: str) -> str:
    """The closest name: in whatever case, and by the city alone."""
    known = timezones()
    if not known:
        return "there is no tz database on this machine: install the package `tzdata`"
    spelt = timezone.strip().replace(" ", "_").lower()
    whole = {name.lower(): name for name in sorted(known)}
    cities = {name.rpartition("/")[2].lower(): name for name in sorted(known)}
    for names in (whole, cities):
        if spelt in names:
            return f"did you mean `{names[spelt]}`?"
    for names, word in ((whole, spelt), (cities, spelt.rpartition("/")[2])):
        matches = get_close_matches(word, names, 1, 0.75)
        if matches:
            return f"did you mean `{names[matches[0]]}`?"
    return "write a name such as `Europe/Berlin`; without a timezone, times are in UTC"

"""Rules and schedules together, as the emulator has them."""

from __future__ import annotations

from datetime import datetime

from treadle_local.aws.identity import Identity
from treadle_local.aws.moto_bridge import Moto
from treadle_local.aws.service import Region
from treadle_local.clock import Clock
from treadle_local.functions.service import LambdaService
from treadle_local.schedules.errands import Errands
from treadle_local.schedules.events import Events
from treadle_local.schedules.happenings import Tell
from treadle_local.schedules.post import Post, Trusts
from treadle_local.schedules.scheduler import Scheduler
from treadle_local.sns.service import Sns
from treadle_local.sqs.service import Sqs


class Schedules:
    """What fires by the clock; `tell` hears of every firing, and of whatever went nowhere."""

    def __init__(
        self,
        region: Region,
        clock: Clock,
        moto: Moto,
        functions: LambdaService,
        sqs: Sqs,
        sns: Sns,
        identity: Identity,
        trusts: Trusts,
        tell: Tell,
    ) -> None:
        self._errands = Errands(clock, Post(region, functions, sqs, sns, identity, trusts), tell)
        self.events = Events(region, clock, moto, trusts, self._errands, tell)
        self.scheduler = Scheduler(region, clock, trusts, self._errands, tell)

    def next_firing(self) -> tuple[str, datetime] | None:
        """The ARN of the rule or schedule that fires next, and when."""
        upcoming = (self.events.timetable.upcoming(), self.scheduler.timetable.upcoming())
        return min((one for one in upcoming if one is not None), key=lambda one: one[1], default=None)

    def quiet(self) -> bool:
        """True when nothing is due. What is due is delivered at once, so nothing is ever under way."""
        return not self.events.timetable.is_due() and not self.scheduler.timetable.is_due()

    def close(self) -> None:
        """Ends all timers; what waited for another attempt is told as undelivered."""
        self.events.timetable.close()
        self.scheduler.timetable.close()
        self._errands.close()

"""CloudFormation as the emulator needs it: templates brought up and down through AWS's own calls."""

from treadle_local.cloudformation.aws import Aws
from treadle_local.cloudformation.events import StackEvent
from treadle_local.cloudformation.service import CloudFormation
from treadle_local.cloudformation.stacks import Stack

__all__ = ["Aws", "CloudFormation", "Stack", "StackEvent"]

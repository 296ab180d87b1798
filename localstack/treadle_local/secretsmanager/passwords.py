"""GetRandomPassword.

Source: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetRandomPassword.html
"""

from __future__ import annotations

import secrets
import string

from treadle_local.aws.service import Params, Result
from treadle_local.secretsmanager.refusals import invalid_parameter

_DEFAULT_LENGTH, _LONGEST = 32, 4096
_KINDS = (
    ("ExcludeLowercase", string.ascii_lowercase),
    ("ExcludeUppercase", string.ascii_uppercase),
    ("ExcludeNumbers", string.digits),
    ("ExcludePunctuation", string.punctuation),
)


def get_random_password(params: Params) -> Result:
    length = params.get("PasswordLength", _DEFAULT_LENGTH)
    excluded = set(str(params.get("ExcludeCharacters") or ""))
    kinds = [
        "".join(character for character in characters if character not in excluded)
        for member, characters in _KINDS
        if not params.get(member)
    ]
    if params.get("IncludeSpace") and " " not in excluded:
        kinds.append(" ")
    kinds = [kind for kind in kinds if kind]
    required = kinds if params.get("RequireEachIncludedType", True) else []
    if not isinstance(length, int) or not 1 <= length <= _LONGEST or length < len(required):
        raise invalid_parameter(f"Password length must be 1 to {_LONGEST}, and enough for a character of each type.")
    if not kinds:
        raise invalid_parameter("No characters are left for the password.")
    random = secrets.SystemRandom()
    letters = [random.choice(kind) for kind in required]
    letters += random.choices("".join(kinds), k=length - len(letters))
    random.shuffle(letters)
    return {"RandomPassword": "".join(letters)}

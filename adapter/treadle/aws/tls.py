"""TLS to AWS: whose certificate is good is what the environment says, or else the system. Never anything less.

Reading all 140 authorities that a system trusts costs more than the rest of a cold start. AWS's own certificates come
from AWS's own authorities, so those are taken from the system's file first, and all the others only when a certificate
cannot be verified with them. Nothing is trusted that the file does not have.
Source: https://docs.aws.amazon.com/acm/latest/userguide/acm-concepts.html#ACM-root-CAs
"""

from __future__ import annotations

import os
import ssl
from binascii import a2b_base64

from treadle.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket

_BEGIN, _END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"
_AMAZON = (b"Amazon", b"Starfield Services Root")
"""What the authorities of Amazon Trust Services are called, found in their certificates byte by byte."""
_MANY = 16


class Trust:
    """The authorities of this process. Reads few of them as long as these are enough.

    Raises: ConfigurationError.
    """

    __slots__ = ("_context", "_has_all")

    def __init__(self) -> None:
        file = os.environ.get("AWS_CA_BUNDLE") or ssl.get_default_verify_paths().cafile
        first = _amazons(file) if file else b""
        self._has_all = not first
        self._context = ssl.create_default_context(cadata=first) if first else _all()

    @property
    def authorities(self) -> int:
        """How many have been read."""
        return len(self._context.get_ca_certs())

    def wrap(self, sock: socket.socket, host: str) -> ssl.SSLSocket:
        """The connection to `host`, whose certificate is verified and names it.

        Raises: UnknownAuthority, when it is worth another connection; ssl.SSLError; ConfigurationError.
        """
        context = self._context
        try:
            return context.wrap_socket(sock, server_hostname=host)
        except ssl.SSLCertVerificationError as error:
            if self._has_all and context is self._context:
                raise
            self._context, self._has_all = _all(), True
            raise UnknownAuthority(str(error)) from error


class UnknownAuthority(OSError):  # noqa: N818 - another connection may do
    """The certificate could not be verified with the first few authorities; the next connection has them all."""


def _all() -> ssl.SSLContext:
    """Raises: ConfigurationError, where `AWS_CA_BUNDLE` names no file of certificates."""
    file = os.environ.get("AWS_CA_BUNDLE") or None
    try:
        return ssl.create_default_context(cafile=file)
    except OSError as error:
        raise ConfigurationError(f"AWS_CA_BUNDLE is `{file}`, which has no certificates to read ({error})") from None


def _amazons(path: str) -> bytes:
    """Amazon's certificates in a bundle; none where it has so few that all of them can be read."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - pathlib is not loaded at a cold start
            texts = file.read().split(_BEGIN)[1:]
        if len(texts) <= _MANY:
            return b""
        certificates = [a2b_base64(text.partition(_END)[0]) for text in texts]
    except (OSError, ValueError):
        return b""
    return b"".join([der for der in certificates if any(name in der for name in _AMAZON)])

"""A login attempt as a value, and the pieces of which SASL messages are made (RFC 4422, RFC 4954)."""

import base64
import binascii
import hmac
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from pytest_smtpd.errors import no_attribute
from pytest_smtpd.smtp import replies
from pytest_smtpd.smtp.grammar import Refused
from pytest_smtpd.smtp.passwords import MASK, hidden
from pytest_smtpd.smtp.values import printable, quoted, short

_CONTROL: Final = "[\x00-\x1f\x7f-\x9f]"


class Auth:
    """A client's attempt to log in, as the ``auth`` hook gets it.

    Attributes that the mechanism does not have are None. The repr shows no secret.
    """

    __module__ = "pytest_smtpd"

    if not TYPE_CHECKING:  # for type checkers, an unknown attribute is an error
        __getattr__ = no_attribute

    def __init__(
        self,
        method: str,
        username: str,
        *,
        password: str | None = None,
        authzid: str | None = None,
        authcid: str | None = None,
        access_token: str | None = None,
        challenge: str | None = None,
        response: str | None = None,
        prove: Callable[[str], bytes | None] | None = None,
        needs_proof: bool = False,
    ) -> None:
        self.method = method  #: The mechanism, in upper case.
        self.username = username  #: Who wants to log in.
        self.password = password  #: The password of PLAIN and LOGIN.
        self.authzid = authzid  #: The identity to act as, as sent; None if the mechanism has none.
        self.authcid = authcid  #: The identity whose password it is, as sent; None for XOAUTH2 and OAUTHBEARER.
        self.access_token = access_token  #: The token of XOAUTH2 and OAUTHBEARER.
        self.challenge = challenge  #: What the server asked (CRAM-MD5, SCRAM-SHA-256).
        self.response = response  #: What the client answered to it; after a rule's ``334``, the client's next line.
        self._prove = prove
        self._needs_proof = needs_proof
        self._proof: bytes | None = None
        # Known passwords: a client that mixes up user and password sends one as the user.
        self.passwords: tuple[str, ...] = ()
        # A client that leaves the mechanism out of AUTH sends a password in its place.
        self.mechanism_known: bool = True

    def __repr__(self) -> str:
        method = printable(short(self.method)) if self.mechanism_known else MASK
        return f"<Auth {method} {quoted(short(hidden(self.username, self.passwords)))}>"

    def validate_password(self, password: str) -> bool:
        """Whether the client knows this password (for XOAUTH2 and OAUTHBEARER: this token), with any mechanism.

        SCRAM proves it to both sides, so a SCRAM login can only succeed if this has returned True.
        """
        if self._prove is not None:
            proof = self._prove(password)
            self._proof = proof or self._proof  # a wrong guess after the right one proves nothing
            return proof is not None
        known = self.access_token if self.password is None else self.password
        return known is not None and hmac.compare_digest(known.encode(), password.encode())

    def repeats(self, other: "Auth") -> bool:
        """Whether it is for the same user as another attempt, and by the same password or token.

        The mechanisms may differ. Two attempts that only prove knowledge of a password cannot be compared: False.
        """
        if self.username != other.username:
            return False
        for known, proof in ((self, other), (other, self)):
            secret = known.access_token if known.password is None else known.password
            if secret is not None:
                return proof.validate_password(secret)
        return False

    @property
    def server_final(self) -> bytes | None:
        """What the server has to prove in its turn before it accepts; None where the mechanism asks for nothing."""
        return self._proof or None

    @property
    def unproven(self) -> bool:
        """Whether the password is still missing without which the server cannot answer (RFC 5802 section 3)."""
        return self._needs_proof and not self._proof


def decode(encoded: bytes) -> bytes:
    """RFC 4954 section 4: base64, nothing but base64. Raises ``Refused``."""
    try:
        decoded = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise Refused(replies.BAD_BASE64) from None
    if len(encoded) != 4 * -(-len(decoded) // 3):  # padding that Python before 3.13 lets pass
        raise Refused(replies.BAD_BASE64)
    return decoded


def encode(challenge: bytes) -> str:
    """A challenge in base64, for the 334."""
    return base64.b64encode(challenge).decode("ascii")


def text_of(octets: bytes, *, name: bool = False) -> str:
    """UTF-8, without control characters if it is a name. Raises ``Refused``."""
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused(replies.BAD_CREDENTIALS) from None
    if name and re.search(_CONTROL, text):
        raise Refused(replies.BAD_CREDENTIALS)
    return text


def gs2_header(header: bytes) -> tuple[str, str]:
    """RFC 5801 section 4: authzid, and what follows. Channel binding is not offered, and refused (``p=``)."""
    flag, _, rest = text_of(header).partition(",")
    authzid, comma, rest = rest.partition(",")
    if flag not in ("n", "y") or not comma or (authzid and not (authzid.startswith("a=") and authzid[2:])):
        raise Refused(replies.BAD_CREDENTIALS)
    return sasl_name(authzid[2:]), rest


def sasl_name(text: str) -> str:
    """RFC 5802 section 5.1: =2C and =3D stand for comma and equals sign; no other = is allowed."""
    if re.search("=(?!2C|3D)", text):
        raise Refused(replies.BAD_CREDENTIALS)
    return text.replace("=2C", ",").replace("=3D", "=")

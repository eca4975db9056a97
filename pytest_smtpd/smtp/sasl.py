"""AUTH mechanisms (RFC 4954, RFC 4422): one row each in ``MECHANISMS``.

A mechanism is a generator: it yields the server's challenges, is sent the client's responses, and returns an ``Auth``
once the client has sent all that is needed. It raises ``Refused`` for a response that is malformed. Whether the
credentials are right is not decided here: the ``auth`` setting and hooks ask ``Auth.validate_password``.
"""

import re
import secrets
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any, Final, NamedTuple

from pytest_smtpd.smtp import replies
from pytest_smtpd.smtp.auth import Auth, decode, gs2_header, text_of
from pytest_smtpd.smtp.grammar import Refused
from pytest_smtpd.smtp.table import Table
from pytest_smtpd.smtp.values import is_keyword

Steps = Generator[bytes, bytes, Auth]
_IS_GENERATOR: Final = 0x20  # the flag of a function's code: inspect.CO_GENERATOR


def _plain(hostname: str) -> Steps:
    """RFC 4616 section 2: authzid NUL authcid NUL passwd; only the first may be empty."""
    fields = (yield b"").split(b"\0")
    if len(fields) != 3 or not fields[1] or not fields[2]:
        raise Refused(replies.BAD_CREDENTIALS)
    authzid, authcid = (text_of(field, name=True) for field in fields[:2])
    return Auth("PLAIN", authcid, authzid=authzid, authcid=authcid, password=text_of(fields[2]))


def _login(hostname: str) -> Steps:
    username = text_of((yield b"Username:"), name=True)
    if not username:
        raise Refused(replies.BAD_CREDENTIALS)
    return Auth("LOGIN", username, authcid=username, password=text_of((yield b"Password:")))


def _cram_md5(hostname: str) -> Steps:
    """RFC 2195 section 2: the user's name, a space, the keyed digest in hex."""
    challenge = f"<{secrets.token_hex(8)}.{secrets.randbelow(10**10)}@{hostname}>"
    username, _, digest = text_of((yield challenge.encode()), name=True).rpartition(" ")
    if not username:
        raise Refused(replies.BAD_CREDENTIALS)

    import hmac

    def prove(password: str) -> bytes | None:
        expected = hmac.new(password.encode(), challenge.encode(), "md5").hexdigest()
        return b"" if hmac.compare_digest(expected.encode(), digest.lower().encode()) else None

    return Auth("CRAM-MD5", username, authcid=username, challenge=challenge, response=digest.lower(), prove=prove)


def _xoauth2(hostname: str) -> Steps:
    """Google's form: ``user=`` and ``auth=Bearer``, each ended by ^A."""
    fields = _key_values((yield b""))
    return _bearer("XOAUTH2", fields.get("user", ""), fields)


def _oauthbearer(hostname: str) -> Steps:
    """RFC 7628 section 3.1: a GS2 header, then key/value pairs, each ended by ^A."""
    header, _, pairs = (yield b"").partition(b"\1")
    authzid, rest = gs2_header(header)
    if rest:
        raise Refused(replies.BAD_CREDENTIALS)
    return _bearer("OAUTHBEARER", authzid, _key_values(pairs))


def _key_values(pairs: bytes) -> dict[str, str]:
    """Each pair ends with ^A, and one more ends them all."""
    if not pairs.endswith(b"\1\1"):
        raise Refused(replies.BAD_CREDENTIALS)
    split = [text_of(pair, name=True).partition("=") for pair in pairs[:-2].split(b"\1")]
    return {key: value for key, _, value in split}


def _bearer(method: str, username: str, fields: Mapping[str, str]) -> Auth:
    scheme, _, token = fields.get("auth", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip() or (method == "XOAUTH2" and not username):
        raise Refused(replies.BAD_CREDENTIALS)
    authzid = username or None if method == "OAUTHBEARER" else None
    return Auth(method, username, authzid=authzid, access_token=token.strip(" "))


def _scram(hostname: str) -> Steps:
    from pytest_smtpd.smtp.scram import scram_sha_256

    return (yield from scram_sha_256(hostname))


class Mechanism(NamedTuple):
    """A row: the steps of the mechanism, and its needs.

    ``client_first`` is whether AUTH may bring an initial response: RFC 4954 section 4 gives none to a mechanism in
    which the server begins. ``needs_password`` is whether the server has to know the password, so that ``auth="any"``
    cannot offer it. ``failure`` is the JSON object in which the server explains a refused token before its reply
    (Google's XOAUTH2, RFC 7628 section 3.2.2), unless ``Reject(data=...)`` gives another. ``secret_in_clear`` is
    whether someone who listens learns a password or token.
    """

    steps: Callable[[str], Steps]
    rfc: str
    client_first: bool = True
    needs_password: bool = False
    failure: Mapping[str, str] | None = None
    secret_in_clear: bool = True

    def problems(self, name: str) -> Iterator[str]:
        """The mistakes in a row."""
        if not is_keyword(name.replace("_", "-")) or len(name) > 20:
            yield "its name must be 1 to 20 of A-Z, 0-9, hyphen and underscore (RFC 4422 section 3.1)"
        if not getattr(getattr(self.steps, "__code__", None), "co_flags", 0) & _IS_GENERATOR:
            yield f"steps= must be a generator function, not {self.steps!r}"
        if not self.rfc:
            yield "rfc= must say where it is defined"


_ROWS: Final = {
    "PLAIN": Mechanism(_plain, "RFC 4616"),
    "LOGIN": Mechanism(_login, "not standardised"),
    "CRAM-MD5": Mechanism(_cram_md5, "RFC 2195", client_first=False, secret_in_clear=False),
    "XOAUTH2": Mechanism(
        _xoauth2,
        "Google and Microsoft",
        failure={"status": "401", "schemes": "bearer", "scope": "https://mail.example.com/"},
    ),
    "OAUTHBEARER": Mechanism(_oauthbearer, "RFC 7628", failure={"status": "invalid_token", "scope": "mail"}),
    "SCRAM-SHA-256": Mechanism(_scram, "RFC 7677", needs_password=True, secret_in_clear=False),
}
MECHANISMS: Final = Table("AUTH mechanism", Mechanism.problems, _ROWS)
# Mechanisms of other servers: a rule that replies 334 to AUTH can begin an exchange with any of them.
FOREIGN: Final = ("SCRAM-[A-Z0-9-]+", "XOAUTH", "NTLM", "GSSAPI", "EXTERNAL", "ANONYMOUS")


def mechanism_pattern() -> str:
    """A pattern for the name of any mechanism, ours or another server's."""
    return "|".join((*MECHANISMS, *FOREIGN))


def owner(users: Any, auth: Auth) -> str | None:
    """The owner of these credentials by the ``auth`` setting ("any", or a dict); None if they are wrong."""
    if not isinstance(users, Mapping):
        return auth.username if users == "any" and auth.method in MECHANISMS and not auth.unproven else None
    if not auth.username and auth.access_token is not None:  # OAUTHBEARER may leave the name to the token
        return next((user for user, token in users.items() if auth.validate_password(token)), None)
    password = users.get(auth.username)
    return auth.username if password is not None and auth.validate_password(password) else None


class Exchange:
    """An AUTH exchange under way: the current ``challenge``, and ``auth`` once the client has sent all that is needed.

    If a rule has answered AUTH with a 334 for a mechanism that the server does not know, the exchange consists of the
    client's next line.
    """

    def __init__(self, method: str, hostname: str) -> None:
        self.method = method
        self.auth: Auth | None = None
        known = MECHANISMS.get(method)
        self._steps = _one_line(method) if known is None else known.steps(hostname)
        self.challenge: bytes = next(self._steps)

    def take(self, line: bytes) -> None:
        """Take the client's next line. Raises ``Refused`` for a malformed one."""
        try:
            response = decode(line)
        except Refused:
            if self.method in MECHANISMS:
                raise
            response = line
        self.respond(response)

    def respond(self, response: bytes) -> None:
        """Take the client's next response, decoded. Raises ``Refused`` for a malformed one."""
        if self.auth is not None:  # asked once more, by a hook or rule that answered 334
            self.auth.response = response.decode("utf-8", "replace")
            return
        try:
            self.challenge = self._steps.send(response)
        except StopIteration as done:
            self.auth = self._complete(done.value)

    def _complete(self, auth: Any) -> Auth:
        """What the steps return. Raises ``TypeError`` if that is not a login by this mechanism."""
        if not isinstance(auth, Auth) or auth.method != self.method:
            raise TypeError(
                f"AUTH mechanism {self.method!r}: its steps must return an Auth of this method, not {auth!r}"
            )
        return auth


def _one_line(method: str) -> Steps:
    auth = Auth(method, "", response=(yield b"").decode("utf-8", "replace"))
    auth.mechanism_known = re.fullmatch(mechanism_pattern(), method) is not None
    return auth

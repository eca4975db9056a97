"""MECHANISMS: one generator for each AUTH mechanism (RFC 4954): challenges out, responses in, an ``Auth`` returned.

What a client sends that is malformed raises ``Refused``. Whether credentials are right is not decided here but by
whoever answers the event; ``Auth.validate_password`` is what the default and hooks ask.
"""

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Generator, Mapping
from typing import Any, Final

from pytest_smtpd.smtp import replies
from pytest_smtpd.smtp.grammar import Refused
from pytest_smtpd.smtp.saslprep import saslprep

Exchange = Generator[bytes, bytes, "Auth"]

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_SCRAM_ITERATIONS: Final = 4096  # RFC 7677 section 4: at least that many

# How XOAUTH2 (Google) and OAUTHBEARER (RFC 7628 section 3.2.2) say why, unless Reject(data=...) says it.
OAUTH_FAILURE: Final[Mapping[str, Mapping[str, str]]] = {
    "XOAUTH2": {"status": "401", "schemes": "bearer", "scope": "https://mail.example.com/"},
    "OAUTHBEARER": {"status": "invalid_token", "scope": "mail"},
}


class Auth:
    """A client's attempt to log in, as the ``auth`` hook gets it.

    ``method`` is the mechanism; ``username``, ``password``, ``authzid``, ``access_token``, ``challenge`` and
    ``response`` are there where the mechanism has them, else None. The secrets among them appear in no repr.
    """

    __module__ = "pytest_smtpd"

    def __init__(
        self,
        method: str,
        username: str,
        *,
        password: str | None = None,
        authzid: str | None = None,
        access_token: str | None = None,
        challenge: str | None = None,
        response: str | None = None,
        prove: Callable[[str], bytes | None] | None = None,
    ) -> None:
        self.method = method
        self.username = username
        self.password = password
        self.authzid = authzid
        self.access_token = access_token
        self.challenge = challenge
        self.response = response
        self._prove = prove
        self._proof: bytes | None = None

    def __repr__(self) -> str:
        return f"<Auth {self.method} {self.username!r}>"

    def validate_password(self, password: str) -> bool:
        """Whether the client knows this password (for XOAUTH2 and OAUTHBEARER: this token), whatever the mechanism."""
        if self._prove is not None:
            proof = self._prove(password)
            self._proof = proof or self._proof  # a wrong guess after the right one proves nothing
            return proof is not None
        known = self.access_token if self.password is None else self.password
        return known is not None and hmac.compare_digest(known.encode(), password.encode())

    @property
    def server_final(self) -> bytes | None:
        """What the server has to prove in its turn before it accepts; None where the mechanism asks for nothing."""
        return self._proof or None

    @property
    def unproven(self) -> bool:
        """SCRAM: nobody has given the password with which the server could answer (RFC 5802 section 3)."""
        return self.method.startswith("SCRAM-") and not self._proof


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
    """A challenge as it goes into the 334."""
    return base64.b64encode(challenge).decode("ascii")


def _text(octets: bytes, *, name: bool = False) -> str:
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused(replies.BAD_CREDENTIALS) from None
    if name and _CONTROL.search(text):
        raise Refused(replies.BAD_CREDENTIALS)
    return text


def _plain(hostname: str) -> Exchange:
    """RFC 4616 section 2: authzid NUL authcid NUL passwd."""
    fields = (yield b"").split(b"\0")
    if len(fields) != 3:
        raise Refused(replies.BAD_CREDENTIALS)
    authzid, authcid = (_text(field, name=True) for field in fields[:2])
    return Auth("PLAIN", authcid or authzid, authzid=authzid, password=_text(fields[2]))


def _login(hostname: str) -> Exchange:
    username = _text((yield b"Username:"), name=True)
    if not username:
        raise Refused(replies.BAD_CREDENTIALS)
    return Auth("LOGIN", username, password=_text((yield b"Password:")))


def _cram_md5(hostname: str) -> Exchange:
    """RFC 2195 section 2: the user's name, a space, the keyed digest in hex."""
    challenge = f"<{secrets.token_hex(8)}.{secrets.randbelow(10**10)}@{hostname}>"
    username, space, digest = _text((yield challenge.encode()), name=True).rpartition(" ")
    if not space:
        raise Refused(replies.BAD_CREDENTIALS)

    def prove(password: str) -> bytes | None:
        expected = hmac.new(password.encode(), challenge.encode(), "md5").hexdigest()
        return b"" if hmac.compare_digest(expected.encode(), digest.lower().encode()) else None

    return Auth("CRAM-MD5", username, challenge=challenge, response=digest.lower(), prove=prove)


def _xoauth2(hostname: str) -> Exchange:
    """Google's form: ``user=`` and ``auth=Bearer``, each ended by ^A."""
    fields = _key_values((yield b""))
    return _bearer("XOAUTH2", fields.get("user", ""), fields)


def _oauthbearer(hostname: str) -> Exchange:
    """RFC 7628 section 3.1: a GS2 header, then key/value pairs, each ended by ^A."""
    header, _, pairs = (yield b"").partition(b"\1")
    authzid, rest = _gs2(header)
    if rest:
        raise Refused(replies.BAD_CREDENTIALS)
    return _bearer("OAUTHBEARER", authzid, _key_values(pairs))


def _key_values(pairs: bytes) -> dict[str, str]:
    """Each pair ends with ^A, and one more ends them all."""
    if not pairs.endswith(b"\1\1"):
        raise Refused(replies.BAD_CREDENTIALS)
    split = [_text(pair, name=True).partition("=") for pair in pairs[:-2].split(b"\1")]
    return {key: value for key, _, value in split}


def _bearer(method: str, username: str, fields: Mapping[str, str]) -> Auth:
    scheme, _, token = fields.get("auth", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip() or (method == "XOAUTH2" and not username):
        raise Refused(replies.BAD_CREDENTIALS)
    return Auth(method, username, access_token=token.strip(" "))


def _gs2(header: bytes) -> tuple[str, str]:
    """RFC 5801 section 4: authzid, and what follows. Channel binding is not offered, and refused (``p=``)."""
    flag, _, rest = _text(header).partition(",")
    authzid, comma, rest = rest.partition(",")
    if flag not in ("n", "y") or not comma or (authzid and not authzid.startswith("a=")):
        raise Refused(replies.BAD_CREDENTIALS)
    return _sasl_name(authzid[2:]), rest


def _sasl_name(text: str) -> str:
    """RFC 5802 section 5.1: =2C and =3D stand for comma and equals sign; no other = is allowed."""
    if re.search("=(?!2C|3D)", text):
        raise Refused(replies.BAD_CREDENTIALS)
    return text.replace("=2C", ",").replace("=3D", "=")


def _scram_sha_256(hostname: str) -> Exchange:
    """RFC 5802 section 5 with SHA-256 (RFC 7677)."""
    client_first = yield b""
    authzid, bare = _gs2(client_first)
    first = _attributes(bare)
    if list(first)[:2] != ["n", "r"] or not first["r"]:
        raise Refused(replies.BAD_CREDENTIALS)
    username = _sasl_name(first["n"])
    nonce, salt = first["r"] + secrets.token_urlsafe(18), secrets.token_bytes(16)
    server_first = f"r={nonce},s={encode(salt)},i={_SCRAM_ITERATIONS}"
    client_final = _text((yield server_first.encode()))
    final = _attributes(client_final)
    gs2_header = client_first[: len(client_first) - len(bare.encode())]
    if final.get("r") != nonce or final.get("c") != encode(gs2_header) or list(final)[-1] != "p":
        raise Refused(replies.BAD_CREDENTIALS)
    signed = f"{bare},{server_first},{client_final.rpartition(',p=')[0]}".encode()
    proof = decode(final["p"].encode())
    return Auth(
        "SCRAM-SHA-256",
        username,
        authzid=authzid,
        challenge=server_first,
        response=client_final,
        prove=lambda password: _scram_proof(password, salt, signed, proof),
    )


def _attributes(text: str) -> dict[str, str]:
    pairs = [attribute.partition("=") for attribute in text.split(",")]
    if not all(len(key) == 1 and equals for key, equals, _ in pairs):
        raise Refused(replies.BAD_CREDENTIALS)
    return {key: value for key, _, value in pairs}


def _scram_proof(password: str, salt: bytes, signed: bytes, proof: bytes) -> bytes | None:
    """RFC 5802 section 3: check the client's proof; the server's signature if it is right."""
    salted = hashlib.pbkdf2_hmac("sha256", saslprep(password).encode(), salt, _SCRAM_ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    signature = hmac.digest(stored, signed, "sha256")
    client_key = bytes(left ^ right for left, right in zip(proof, signature, strict=False))
    if len(proof) != len(signature) or not hmac.compare_digest(hashlib.sha256(client_key).digest(), stored):
        return None
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    return b"v=" + base64.b64encode(hmac.digest(server_key, signed, "sha256"))


MECHANISMS: Final[Mapping[str, Callable[[str], Exchange]]] = {
    "PLAIN": _plain,
    "LOGIN": _login,
    "CRAM-MD5": _cram_md5,
    "XOAUTH2": _xoauth2,
    "OAUTHBEARER": _oauthbearer,
    "SCRAM-SHA-256": _scram_sha_256,
}
# RFC 4954 section 4: a mechanism whose server speaks first takes no initial response.
SERVER_FIRST: Final = frozenset({"CRAM-MD5"})


def owner(users: Any, auth: Auth) -> str | None:
    """Whose credentials these are, by the ``auth`` setting ("any", or a mapping of passwords); None: nobody's."""
    if not isinstance(users, Mapping):
        return auth.username if users == "any" and not auth.unproven else None
    if not auth.username and auth.access_token is not None:  # OAUTHBEARER may leave the name to the token
        return next((user for user, token in users.items() if auth.validate_password(token)), None)
    password = users.get(auth.username)
    return auth.username if password is not None and auth.validate_password(password) else None


class Conversation:
    """An exchange under way: its current ``challenge``, and ``auth`` once the client has said all that is needed."""

    def __init__(self, method: str, hostname: str) -> None:
        self.method = method
        self.auth: Auth | None = None
        self._steps = MECHANISMS[method](hostname)
        self.challenge: bytes = next(self._steps)

    def respond(self, response: bytes) -> None:
        """Take the client's next line, decoded. Raises ``Refused`` for what is malformed."""
        if self.auth is not None:  # asked once more, by a hook or rule that answered 334
            self.auth.response = response.decode("utf-8", "replace")
            return
        try:
            self.challenge = self._steps.send(response)
        except StopIteration as done:
            self.auth = done.value

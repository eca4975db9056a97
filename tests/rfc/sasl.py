"""The client's side of the SASL mechanisms, computed from their RFCs with hashlib and hmac alone."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import Any

from tests.rfc.wire import Wire, WireReply

CONTINUE = 334


def b64(data: str | bytes) -> str:
    return base64.b64encode(data.encode() if isinstance(data, str) else data).decode()


def challenge(reply: WireReply) -> bytes:
    """What a 334 carries; RFC 4954 section 4: nothing but BASE64."""
    assert reply.code == CONTINUE, reply
    assert len(reply.lines) == 1
    return base64.b64decode(reply.lines[0], validate=True)


def plain(user: str, password: str, authzid: str = "") -> str:
    """RFC 4616: ``message = [authzid] UTF8NUL authcid UTF8NUL passwd``."""
    return b64(f"{authzid}\0{user}\0{password}")


def cram_md5(user: str, password: str, challenge: bytes) -> str:
    """RFC 2195 section 2: user name, a space, the keyed MD5 of the challenge in lower-case hexadecimal."""
    return f"{user} {hmac.new(password.encode(), challenge, hashlib.md5).hexdigest()}"


def xoauth2(user: str, token: str) -> str:
    return b64(f"user={user}\x01auth=Bearer {token}\x01\x01")


def oauthbearer(user: str, token: str, scheme: str = "Bearer") -> str:
    """RFC 7628 section 3.1."""
    return b64(f"n,a={user},\x01host=localhost\x01port=25\x01auth={scheme} {token}\x01\x01")


def error_of(reply: WireReply) -> dict[str, Any]:
    """The JSON object of a failed XOAUTH2 or OAUTHBEARER login."""
    found = json.loads(challenge(reply))
    assert isinstance(found, dict)
    return found


def xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def digest(key: bytes, message: str | bytes) -> bytes:
    return hmac.digest(key, message.encode() if isinstance(message, str) else message, "sha256")


@dataclass
class Scram:
    """One SCRAM-SHA-256 exchange (RFC 5802 section 3); every field that goes on the wire can be spoilt."""

    user: str
    password: str
    nonce: str = "rOprNGfwEbeRWgbNEkqO"
    header: str = "n,,"
    server_first: str = field(default="", init=False)

    @property
    def first_bare(self) -> str:
        return f"n={self.user.replace('=', '=3D').replace(',', '=2C')},r={self.nonce}"

    @property
    def first(self) -> str:
        return self.header + self.first_bare

    @property
    def offered(self) -> dict[str, str]:
        return dict(item.split("=", 1) for item in self.server_first.split(","))

    @property
    def salted_password(self) -> bytes:
        salt, rounds = base64.b64decode(self.offered["s"]), int(self.offered["i"])
        return hashlib.pbkdf2_hmac("sha256", self.password.encode(), salt, rounds)

    def without_proof(self, nonce: str | None = None, binding: str | None = None) -> str:
        return f"c={b64(binding or self.header)},r={nonce or self.offered['r']}"

    def message(self, final: str) -> str:
        """``AuthMessage``."""
        return f"{self.first_bare},{self.server_first},{final}"

    def final(self, **spoilt: str) -> str:
        final = self.without_proof(**spoilt)
        client_key = digest(self.salted_password, "Client Key")
        signature = digest(hashlib.sha256(client_key).digest(), self.message(final))
        return f"{final},p={b64(xor(client_key, signature))}"

    def server_signature(self) -> str:
        """``v=`` of the server's last message: its proof that it knows the password too."""
        return f"v={b64(digest(digest(self.salted_password, 'Server Key'), self.message(self.without_proof())))}"


def scram(wire: Wire, exchange: Scram, **spoilt: str) -> WireReply:
    """AUTH up to the reply to the client's proof."""
    exchange.server_first = challenge(wire.say(f"AUTH SCRAM-SHA-256 {b64(exchange.first)}")).decode()
    return wire.say(b64(exchange.final(**spoilt)))

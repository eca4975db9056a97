"""SCRAM-SHA-256 (RFC 5802, RFC 7677): both sides prove that they know the password without sending it."""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Generator
from typing import Final

from pytest_smtpd.smtp import replies
from pytest_smtpd.smtp.auth import Auth, decode, encode, gs2_header, sasl_name, text_of
from pytest_smtpd.smtp.grammar import Refused
from pytest_smtpd.smtp.saslprep import saslprep

_NONCE: Final = r"[!-+\--~]+"  # printable, without the comma
_ITERATIONS: Final = 4096  # RFC 7677 section 4: at least that many


def scram_sha_256(hostname: str) -> Generator[bytes, bytes, Auth]:
    """RFC 5802 section 5 with SHA-256 (RFC 7677)."""
    client_first = yield b""
    authzid, bare = gs2_header(client_first)
    first = _attributes(bare)
    if list(first)[:2] != ["n", "r"] or "m" in first or not re.fullmatch(_NONCE, first["r"]):
        raise Refused(replies.BAD_CREDENTIALS)
    username = sasl_name(first["n"])
    nonce, salt = first["r"] + secrets.token_urlsafe(18), secrets.token_bytes(16)
    server_first = f"r={nonce},s={encode(salt)},i={_ITERATIONS}"
    client_final = text_of((yield server_first.encode()))
    final = _attributes(client_final)
    header = client_first[: len(client_first) - len(bare.encode())]
    in_order = list(final)[:2] == ["c", "r"] and list(final)[-1] == "p" and "m" not in final
    if not in_order or final["r"] != nonce or final["c"] != encode(header):
        raise Refused(replies.BAD_CREDENTIALS)
    signed = f"{bare},{server_first},{client_final.rpartition(',p=')[0]}".encode()
    proof = decode(final["p"].encode())
    return Auth(
        "SCRAM-SHA-256",
        username,
        authzid=authzid,
        authcid=username,
        challenge=server_first,
        response=client_final,
        needs_proof=True,
        prove=lambda password: _proof(password, salt, signed, proof),
    )


def _attributes(text: str) -> dict[str, str]:
    """RFC 5802 section 7: ``k=value`` pairs between commas, in order; section 5.1: each key once."""
    pairs = [attribute.partition("=") for attribute in text.split(",")]
    found = {key: value for key, _, value in pairs}
    if len(found) != len(pairs) or not all(re.fullmatch("[A-Za-z]", key) and value for key, _, value in pairs):
        raise Refused(replies.BAD_CREDENTIALS)
    return found


def _proof(password: str, salt: bytes, signed: bytes, proof: bytes) -> bytes | None:
    """RFC 5802 section 3: check the client's proof; the server's signature if it is right."""
    salted = hashlib.pbkdf2_hmac("sha256", saslprep(password).encode(), salt, _ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    signature = hmac.digest(stored, signed, "sha256")
    client_key = bytes(left ^ right for left, right in zip(proof, signature, strict=False))
    if len(proof) != len(signature) or not hmac.compare_digest(hashlib.sha256(client_key).digest(), stored):
        return None
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    return b"v=" + base64.b64encode(hmac.digest(server_key, signed, "sha256"))

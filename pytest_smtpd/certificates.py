"""The test CA, and server certificates of every kind, made with trustme when TLS is first needed in a process."""

import datetime
import os
import ssl
import sys
import threading
import weakref
from functools import cache, lru_cache
from typing import Any, Final

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from pytest_smtpd import _lasting, files
from pytest_smtpd.settings import CertificateMode, ClientCertificateMode

CA = trustme.CA  # for annotations in other modules
# These must not be imported a second time: the compiled part of cryptography keeps the classes of its first import.
_ONLY_ONCE: Final = ("trustme", "cryptography")
_EVERYWHERE: Final = ("localhost", "127.0.0.1", "::1")
_PAST: Final = (datetime.datetime(2000, 1, 1), datetime.datetime(2001, 1, 1))
_FUTURE: Final = (datetime.datetime(2900, 1, 1), datetime.datetime(2901, 1, 1))
_CLIENT_MODES: Final = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}


class Authority:
    """The test CA, the certificates that it has signed, and its files, which are removed when the process ends."""

    def __init__(self) -> None:
        self.ca: trustme.CA = trustme.CA()
        self.pem: bytes = self.ca.cert_pem.bytes()
        self._folder: str | None = None
        self._bundles: dict[tuple[str, int, int], str] = {}
        self._lock = threading.RLock()

    @property
    def folder(self) -> str:
        """The folder of the files; a new one if a test has removed it. Raises ``OSError`` if none can be created."""
        with self._lock:
            if self._folder is None or not files.exists(self._folder):
                try:
                    self._folder = files.make_folder("pytest-smtpd-")
                except OSError as error:
                    raise type(error)(
                        error.errno,
                        f"no folder for the certificate of the test CA: {error.strerror}: {error.filename}; "
                        "name one in TMPDIR, or do without TLS: tls=None",
                    ) from None
                self._bundles.clear()
                weakref.finalize(self, _remove, self._folder, os.getpid())
            return self._folder

    @property
    def file(self) -> str:
        """The CA's certificate as a PEM file."""
        return self._write(f"{self.folder}/ca.pem", self.pem)

    def bundle(self, beside: str | None) -> str:
        """The path of a PEM file with the certificates in the file ``beside`` and the test CA's.

        None stands for the file with the system's CAs. If there is no such file, it is the test CA's alone.
        """
        source = _system_file() if beside is None else beside
        if not source:
            return self.file
        with self._lock:
            try:
                key = (source, *files.state(source))
                if key in self._bundles and files.exists(self._bundles[key]):
                    return self._bundles[key]
                content = files.read(source).rstrip(b"\n") + b"\n" + self.pem
            except OSError:  # no such file, or a folder
                return self.file
            folder = self.folder  # if it has to be created again, this clears the bundles
            self._bundles[key] = self._write(f"{folder}/bundle-{len(self._bundles)}.pem", content)
            return self._bundles[key]

    def _write(self, path: str, content: bytes) -> str:
        """Write the file, unless it exists already, and return its path."""
        with self._lock:
            if not files.exists(path):
                files.write(path, content)
            return path

    def forked(self) -> None:
        """In the child of a fork: replace the lock, whose holder does not exist here."""
        self._lock = threading.RLock()

    def client_context(self) -> ssl.SSLContext:
        """A TLS context for clients that trusts the test CA only."""
        return ssl.create_default_context(cadata=self.pem.decode("ascii"))

    def server_context(
        self, mode: CertificateMode, client: ClientCertificateMode, names: tuple[str, ...]
    ) -> ssl.SSLContext:
        """A TLS context for servers with a certificate of this kind; made once for all servers that need the same."""
        with self._lock:
            return _server_context(self, mode, client, names)


@cache
def _system_file() -> str:
    """Where OpenSSL was built to look for the system's CAs, whether or not there is such a file."""
    return ssl.get_default_verify_paths().openssl_cafile


@lru_cache(maxsize=64)
def _server_context(
    authority: Authority, mode: CertificateMode, client: ClientCertificateMode, names: tuple[str, ...]
) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.verify_mode = _CLIENT_MODES[client]
    if client != "none":
        context.load_verify_locations(cadata=authority.pem.decode("ascii"))
    _certify(context, authority, mode, tuple(dict.fromkeys((*names, *_EVERYWHERE))))
    context.num_tickets = 1  # without any, the client's next command waits for a delayed acknowledgement
    note_server_name(context)
    return context


def _certify(context: ssl.SSLContext, authority: Authority, mode: CertificateMode, names: tuple[str, ...]) -> None:
    ca = trustme.CA() if mode == "untrusted" else authority.ca
    identities = ("wrong.host.invalid",) if mode == "wrong-host" else names
    dates = {"expired": _PAST, "not-yet-valid": _FUTURE}.get(mode)
    extra: dict[str, Any] = {"not_before": dates[0], "not_after": dates[1]} if dates else {}
    try:
        leaf = ca.issue_cert(*identities, **extra)
    except ValueError:  # a host or hostname that no certificate can carry
        leaf = ca.issue_cert(*_EVERYWHERE, **extra)
    if mode == "self-signed":
        leaf = _sign_itself(leaf)
    _load(context, leaf, f"{authority.folder}/leaf.pem")


def _load(context: ssl.SSLContext, leaf: trustme.LeafCert, path: str) -> None:
    """Load the certificate and its key into the context, through a file at ``path``: OpenSSL reads files only.

    trustme could do that, but it writes the file where ``tempfile`` does, which a test may have changed.
    """
    files.write(path, leaf.private_key_and_cert_chain_pem.bytes())
    try:
        context.load_cert_chain(path)
    finally:
        files.remove(path)


def _sign_itself(leaf: trustme.LeafCert) -> trustme.LeafCert:
    """A self-signed certificate with the names and the key of ``leaf``, which trustme cannot make."""
    key = load_pem_private_key(leaf.private_key_pem.bytes(), None)
    issued = x509.load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes())
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    names = issued.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    builder = x509.CertificateBuilder(issued.subject, issued.subject, key.public_key(), x509.random_serial_number())
    certificate = (
        builder.not_valid_before(_PAST[0])
        .not_valid_after(_FUTURE[0])
        .add_extension(names.value, critical=names.critical)
        .sign(key, hashes.SHA256())
    )
    return trustme.LeafCert(leaf.private_key_pem.bytes(), certificate.public_bytes(Encoding.PEM), [])


def note_server_name(context: ssl.SSLContext) -> None:
    """Remember, on each session's object, the name that the client asked for (SNI)."""
    # Use the property of the C class: that of gevent's class expects the session to belong to a socket of gevent's.
    first = next(kind for kind in reversed(type(context).__mro__) if "sni_callback" in vars(kind))
    vars(first)["sni_callback"].__set__(context, _note_server_name)


def _note_server_name(session: Any, name: str | None, context: ssl.SSLContext) -> None:
    session.requested_server_name = name


def _remove(path: str, owner: int) -> None:
    """Remove the files, except in a forked child, where they are the parent's."""
    if os.getpid() == owner:
        files.remove(path)


@cache
def _authority() -> Authority:
    made = Authority()
    _lasting.update({name: module for name, module in sys.modules.items() if name.partition(".")[0] in _ONLY_ONCE})
    _lasting[__name__] = sys.modules[__name__]
    return made


_one_at_a_time = threading.Lock()


def authority() -> Authority:
    """The test CA of this process. The lock is for threads of tests and servers that ask for it at the same moment."""
    with _one_at_a_time:
        return _authority()


def _forked() -> None:
    """In the child of a fork: replace the locks, whose holders do not exist here."""
    global _one_at_a_time  # noqa: PLW0603
    _one_at_a_time = threading.Lock()
    if _authority.cache_info().currsize:
        _authority().forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)

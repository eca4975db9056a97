"""From bytes to events: one reader for each state in which the client may speak."""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from pytest_smtpd.smtp import events, replies
from pytest_smtpd.smtp.commands import VERBS, parse_command
from pytest_smtpd.smtp.events import Command, Event
from pytest_smtpd.smtp.framing import MAX_LINE, Buffer, DotReader
from pytest_smtpd.smtp.login import Login
from pytest_smtpd.smtp.options import Options
from pytest_smtpd.smtp.proxy import Bad
from pytest_smtpd.smtp.sasl import Auth
from pytest_smtpd.smtp.session import Session, open_transaction, set_remote
from pytest_smtpd.smtp.states import EXPECTS_COMMAND, State

_CHUNK_SIZE: Final = 1 << 18


class Moved(NamedTuple):
    """Nothing that has to be answered was read, but the state is another now."""

    state: State


class Intake:
    """What a client has sent and nobody has understood yet."""

    def __init__(self, options: Options, session: Session) -> None:
        self.login: Login = Login(options)
        self.introduced: Auth | None = None  # the LOGIN of an XCLIENT, until the greeting that answers it
        self._options = options
        self._session = session
        self._buffer = Buffer()
        self._dots = DotReader()
        self._ended = False  # CRLF.CRLF has come
        self._octets = self._chunk_octets = 0  # of a BDAT: still to come, and all
        self._last = True

    def __len__(self) -> int:
        return len(self._buffer)

    def append(self, data: bytes) -> None:
        """Add what has just been received."""
        self._buffer.append(data)

    def release(self) -> bytes:
        """Everything that has not been understood."""
        return self._buffer.take(len(self._buffer))

    def expect_content(self) -> None:
        """Dot-content follows (RFC 5321 section 4.1.1.4)."""
        self._dots, self._ended = DotReader(), False

    def expect_chunk(self, octets: int, *, last: bool) -> None:
        """The octets of a BDAT follow (RFC 3030 section 2)."""
        self._octets = self._chunk_octets = octets
        self._last = last

    def skip(self, octets: int) -> None:
        """The octets of a refused BDAT follow all the same."""
        self._octets = octets

    def read(self, state: State) -> Event | Moved | None:
        """The next thing that the client did, or None if more bytes are needed."""
        reader = _READERS.get(state)
        return reader(self) if reader else None

    # --- between messages -------------------------------------------------------------------------------------------

    def _read_proxy(self) -> Event | Moved | None:
        header = self._buffer.proxy_header()
        if header is None:
            return None
        if isinstance(header, Bad):
            return events.BadProxyHeader(reason=header.reason)
        session = self._session
        if header.remote_address is not None:
            set_remote(session, header.remote_address, header.remote_port)
            session.local_address, session.local_port = header.local_address or "", header.local_port
        return Moved(State.HANDSHAKE if self._options.tls == "implicit" else State.CONNECTED)

    def _read_connected(self) -> Event:
        protocol = "LMTP" if self._options.lmtp else "ESMTP"
        default = replies.greeting(self._options.hostname, protocol, self._options.banner)
        login, self.introduced = self.introduced, None
        tls = None if self._session.xclient else self._session.tls  # after XCLIENT there was no new handshake
        return events.Connected(default=default, secure=tls, login=login)

    def _read_secured(self) -> Event:
        assert self._session.tls is not None
        return events.Secured(tls=self._session.tls)

    def _read_command(self) -> Event | None:
        if self._octets:
            self._octets -= len(self._buffer.take(self._octets))
            if self._octets:
                return None
        line = self._buffer.line()
        if line is None:
            return None
        command = Command(line.text)
        if command.verb in VERBS:
            self.login.failed = False
        command.secret = self.login.failed
        self._session.verbs.append("***" if command.secret else command.verb)
        if line.too_long:
            return events.Refused(command=command, default=replies.LINE_TOO_LONG)
        if line.bare and self._options.strict:
            return events.Refused(command=command, default=replies.BARE_LINE_FEED)
        return parse_command(command, self._options, self._session)

    def _read_response(self) -> Event | None:
        line = self._buffer.line(MAX_LINE)
        return None if line is None else self.login.response(line)

    # --- content ----------------------------------------------------------------------------------------------------

    def _read_content(self) -> Event | Moved | None:
        mail = self._session.mail
        if mail is not None and not mail.begun:
            return self._begin()
        content = b""
        if not self._ended and self._buffer:
            content, rest = self._dots.read(self.release())
            if rest is not None:
                self._ended = True
                self._buffer.append(rest)
        if content and mail is not None:
            return self._chunk(content)
        return self._complete() if self._ended else None

    def _read_chunk(self) -> Event | Moved | None:
        if not open_transaction(self._session).begun:
            return self._begin()
        if self._octets:
            data = self._buffer.take(min(self._octets, _CHUNK_SIZE))
            self._octets -= len(data)
            return self._chunk(data) if data else None
        if self._last:
            return self._complete()
        default = replies.TOO_BIG if self._over_size else replies.chunk_received(self._chunk_octets)
        return events.ChunkReceived(default=default)

    def _begin(self) -> Event:
        open_transaction(self._session).begun = True
        return events.ContentBegins()

    def _chunk(self, data: bytes) -> Event:
        mail = open_transaction(self._session)
        mail.add(data, self._options.size)
        return events.Chunk(data=data, size=mail.size)

    def _complete(self) -> Event | Moved:
        mail = self._session.mail
        if mail is None:  # refused while it was still coming in: nothing more to say
            return Moved(State.READY)
        if mail.answered is not None:
            return events.Content(final=True)
        if self._over_size:
            return events.Content(default=replies.TOO_BIG, final=True)
        return events.Content(default=replies.MESSAGE_OK)

    @property
    def _over_size(self) -> bool:
        return self._options.size is not None and open_transaction(self._session).size > self._options.size


_READERS: Final[Mapping[State, Callable[[Intake], Event | Moved | None]]] = {
    State.PROXY: Intake._read_proxy,
    State.CONNECTED: Intake._read_connected,
    State.SECURED: Intake._read_secured,
    State.CONTENT: Intake._read_content,
    State.CHUNK: Intake._read_chunk,
    State.SASL: Intake._read_response,
    **dict.fromkeys(EXPECTS_COMMAND, Intake._read_command),
}

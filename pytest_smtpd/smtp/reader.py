"""READERS: from bytes to events, one reader for each state in which the client does not send commands."""

from collections.abc import Callable, Mapping
from typing import Final

from pytest_smtpd.smtp import content, events, replies
from pytest_smtpd.smtp.context import Context
from pytest_smtpd.smtp.events import Event
from pytest_smtpd.smtp.framing import MAX_LINE
from pytest_smtpd.smtp.login import read_response
from pytest_smtpd.smtp.session import Phase
from pytest_smtpd.smtp.states import State

_CHUNK_SIZE: Final = 1 << 18


def _read_proxy(context: Context) -> Event | None:
    from pytest_smtpd.smtp import proxy

    used, header = proxy.parse(context.buffer.peek())
    context.buffer.take(used)
    if header is None:
        return None
    if isinstance(header, proxy.Bad):
        return events.BadProxyHeader(reason=header.reason)
    if header.remote_address is not None:
        context.session.set_remote(header.remote_address, header.remote_port)
        context.session.local_address, context.session.local_port = header.local_address or "", header.local_port
    return events.ProxyHeader(kind="proxy, then TLS" if context.options.tls == "implicit" else "proxy")


def _read_connected(context: Context) -> Event:
    session = context.session
    login, context.xclient_login = context.xclient_login, None
    tls = None if session.xclient else session.tls  # after XCLIENT there was no new handshake
    return events.Connected(default=context.options.greeting, tls=tls, login=login)


def _read_secured(context: Context) -> Event:
    return events.Secured(tls=context.session.tls)


def _read_response(context: Context) -> Event | None:
    line = context.buffer.line(MAX_LINE)
    return None if line is None else read_response(line, context)


# --- content --------------------------------------------------------------------------------------------------------


def _read_content(context: Context) -> Event | None:
    """The content after DATA, dot-stuffed (RFC 5321 section 4.5.2)."""
    if context.phase is None:
        return _begin(context)
    buffer, data = context.buffer, b""
    if not buffer.content_ended and buffer.data and buffer.dots is not None:
        data, rest = buffer.dots.read(buffer.take(len(buffer)))
        if rest is not None:
            buffer.content_ended = True
            buffer.append(rest)
    if data and context.phase is not Phase.DISCARDING:
        return _arrived(data, context)
    return _complete(context) if buffer.content_ended else None


def _read_chunk(context: Context) -> Event | None:
    """The octets of a BDAT chunk (RFC 3030 section 2). If the message has been refused, they are discarded."""
    if context.phase is None:
        return _begin(context)
    if context.phase is Phase.DISCARDING:
        return content.Discarded()
    buffer = context.buffer
    if buffer.octets:
        data = buffer.take(min(buffer.octets, _CHUNK_SIZE))
        buffer.octets -= len(data)
        return _arrived(data, context) if data else None
    if buffer.last:
        return _complete(context)
    default = replies.TOO_BIG if _over_size(context) else replies.chunk_received(buffer.chunk_octets)
    return content.ChunkReceived(default=default)


def _begin(context: Context) -> Event:
    context.phase = Phase.RECEIVING
    return content.ContentBegins()


def _arrived(data: bytes, context: Context) -> Event:
    transaction = context.session.mail
    assert transaction is not None
    transaction.add(data, None if context.phase is Phase.ANSWERED else context.options.size)
    return content.Chunk(data=data, size=transaction.size)


def _complete(context: Context) -> Event:
    if context.phase is Phase.DISCARDING:
        return content.Discarded()
    if context.phase is Phase.ANSWERED:
        return content.Content(final=True)
    if _over_size(context):
        return content.Content(default=replies.TOO_BIG, final=True)
    return content.Content(default=replies.MESSAGE_OK)


def _over_size(context: Context) -> bool:
    size, transaction = context.options.size, context.session.mail
    return size is not None and transaction is not None and transaction.size > size


Reader = Callable[[Context], Event | None]
READERS: Final[Mapping[State, Reader]] = {
    State.PROXY: _read_proxy,
    State.CONNECTED: _read_connected,
    State.SECURED: _read_secured,
    State.CONTENT: _read_content,
    State.CHUNK: _read_chunk,
    State.SASL: _read_response,
}

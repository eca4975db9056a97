"""Names from other tools, and what to write instead. Loaded by the first error that needs it."""

from collections.abc import Iterable, Mapping
from typing import Final

_HEADER: Final = 'envelope.message["{name}"]'  # the name as a header has it

# By class, {what to write instead: the names}. A name that only differs in case or underscores from one of ours needs
# no row.
_INSTEAD: Final[Mapping[str, Mapping[str, str]]] = {
    "SMTPServer": {
        "smtpd.envelopes, or smtpd.find(), smtpd.one() and smtpd.wait_for()": (
            "messages message mails mail emails email outbox inbox mailbox received received_messages "
            "received_data sent  "
            "sent_messages all_messages deliveries queue get_messages get_emails message_list mailhog data items"
        ),
        "smtpd.envelopes[-1]": "last last_message last_mail last_email last_envelope latest latest_message",
        "smtpd.envelopes[0]": "first first_message first_email",
        "len(smtpd.envelopes)": "count message_count messages_count size",
        "smtpd.clear()": "reset reset_messages clear_messages delete_messages delete_all flush empty purge",
        "smtpd.stop()": "close shutdown terminate kill quit server_close exit",
        "smtpd.start()": "run serve serve_forever listen open begin",
        "smtpd.host": "ip addr bind hostname server_host smtp_host listen_host server_name",
        "smtpd.port": "smtp_port server_port listen_port bind_port",
        "smtpd.address": "server_address addr_port endpoint hostport listen_address",
        "smtpd.settings": "config configuration options",
        "smtpd.settings.{name}": (
            "tls auth size banner timeout lmtp strict trust hide disable certificate require_tls require_auth "
            "ssl_context  "
            "max_clients max_messages max_recipients client_certificate auth_methods advertise"
        ),
        "smtpd.log.sessions()": "sessions session connections connection clients peers",
        "smtpd.log.calls()": "calls events history commands handler hooks",
        "smtpd.log.transcript()": "transcript logs dialogue output conversation get_log",
        "smtpd.log.envelopes(accepted=False)": "rejected refused refused_messages rejected_messages failed",
        "smtpd.wait_for()": (
            "wait wait_for_message wait_for_messages wait_for_email wait_for_mail wait_until expect poll"
        ),
        "smtpd.wait_quiet()": "assert_no_message assert_no_mail assert_empty wait_for_nothing",
        "smtpd.one()": "get fetch pop single only assert_one get_message assert_called_once",
        "smtpd.find()": "search filter query select match matching find_all all list",
        "smtpd.on()": (
            "add_rule rule add_handler set_response respond expect_request hook add_hook when fail reject mock patch"
        ),
        "smtpd.client_context": "ssl_client_context tls_context sslcontext context",
        "smtpd.ca_file": "cafile ca_cert ca_certs cacert ca_path cert certfile cert_file",
    },
    "Envelope": {
        "envelope.rcpt_to": (
            "to recipients recipient receivers receiver to_addrs to_addr rcpt_tos rcpttos rcpts rcpt to_addresses"
        ),
        "envelope.mail_from": "sender from_ from_addr from_address envelope_from mailfrom return_path reverse_path",
        "envelope.text or envelope.html": (
            "body payload plain text_body get_payload get_content get_body plain_text alternatives"
        ),
        "envelope.html": "html_body body_html",
        "envelope.content": (
            "data raw original_content source as_bytes bytes as_string raw_content eml rawdata message_data contents"
        ),
        "envelope.message": (
            "headers header msg mime parsed email parse get items keys walk is_multipart get_all defects"
        ),
        _HEADER: "cc bcc date message_id reply_to in_reply_to references content_type list_unsubscribe from",
        "envelope.attachments": "files attachment parts iter_attachments inlines",
        "envelope.links": "urls url link hrefs",
        "envelope.session": "connection client peer",
        "envelope.session.remote_address": "remote_address remote_ip ip client_ip client_address",
        "envelope.session.tls": "tls ssl is_secure secure",
        "envelope.dsn": "envid ret notify mail_options rcpt_options",
        "envelope.at": "time timestamp received_at created created_at received",
        "envelope.reply": "response status code reply_code",
        "envelope.user": "username login auth authenticated_user",
    },
    "Session": {
        "session.remote_address": "ip peer client client_address remote_ip address host peername",
        "session.remote_port": "port client_port",
        "session.hostname_appears_as": "helo ehlo host_name helo_name ehlo_name hostname helo_hostname heloname",
        "session.opening_command": "extended_smtp greeting_command is_esmtp",
        "session.tls": "ssl ssl_object cipher tls_version peer_certificate tls_info server_name ssl_session",
        "session.user": "username login auth auth_data authenticated login_data logged_in principal",
        "session.envelope": "message current mail_from rcpt_to msg",
        "session.closed": "open is_open is_closed alive connected",
        "session.ended": "end end_reason how_ended reason close_reason",
        "session.error": "last_error last_refusal",
        "session.notes": "data state context storage extra attributes custom",
        "session.commands": "history verbs_seen command",
        "session.transaction": "transaction_number transactions",
    },
    "Log": {
        "log.calls()": "entries events records all items list filter find one get commands call",
        "log.envelopes()": "messages mails emails message mail outbox envelope",
        "log.envelopes(accepted=False)": "refused rejected failed",
        "log.sessions()": "session connections clients",
        "log.transcript()": "text lines output dump getvalue read print show dialogue",
        "log.wait_for()": "wait wait_until expect",
    },
    "Envelopes": {
        "smtpd.envelopes[-1]": "last latest pop",
        "smtpd.envelopes[0]": "first",
        "len(smtpd.envelopes)": "size length",
        "smtpd.clear()": "clear reset",
        "smtpd.find()": "find filter search one wait_for get",
    },
    "Call": {
        "call.argument": "address command auth stream arg value params parameters",
        "call.args": "arguments kwargs",
        "call.code": "status status_code reply_code",
        "call.reply": "response result answer returned",
        "call.outcome": "accepted refused dropped decision verdict state rejected",
        "call.session": "connection client",
        "call.error": "exception exc raised",
        "call.at": "time timestamp when",
        "call.duration": "elapsed took",
        "call.hook": "name event type",
    },
    "Attachment": {
        "attachment.filename": "name file_name get_filename",
        "attachment.content": "data body payload bytes get_payload get_content read raw",
        "attachment.content_type": "mime mimetype mime_type type get_content_type mime_content_type maintype",
        "attachment.content_id": "cid",
        "attachment.disposition": "content_disposition get_content_disposition inline is_inline",
    },
    "Command": {
        "command.verb": "name command cmd",
        "command.argument": "args arg arguments params parameters value",
        "command.raw": "line bytes data text",
    },
    "Reply": {
        "reply.code": "status status_code reply_code smtp_code number",
        "reply.text": "message msg lines reason smtp_error body",
        "reply.enhanced": "enhanced_code enhanced_status dsn status_enhanced",
    },
    "Auth": {
        "auth.username": "user login name identity",
        "auth.password": "secret credentials passwd pass_",
        "auth.method": "mechanism type mech",
        "auth.access_token": "token oauth_token bearer",
    },
    "Address": {
        "str(address)": "address email addr value mailbox email_address addr_spec",
        "address.local": "user username localpart local_part",
        "address.domain": "host hostname",
        "address.args": "params parameters options esmtp",
    },
    "Stream": {
        "stream.read()": "content data body text getvalue readall read_all readlines readline raw message bytes",
        "stream.aread()": "read_async async_read",
    },
}
# What `object[...]`, `len(object)` and iteration would mean.
_AS_CONTAINER: Final[Mapping[str, str]] = {
    "SMTPServer": "the messages are in smtpd.envelopes: smtpd.envelopes[0], len(smtpd.envelopes), for ... in",
    "Envelope": 'a header is envelope.message["Subject"]; the Subject, decoded, is envelope.subject',
    "Log": "the calls are in log.calls(), the messages in log.envelopes()",
}


def instead_of(kind: str, name: str, ours: Iterable[str]) -> str:
    """The text of an error for an attribute that a class does not have."""
    it = "smtpd" if kind == "SMTPServer" else kind.lower()
    what = f"{kind!r} object has no attribute {name!r}"
    word = _plain(name)
    alike = {_plain(one): one for one in ours if not one.startswith("_")}
    if word in alike:
        return f"{what}: write {it}.{alike[word]}"
    for text, names in _INSTEAD.get(kind, {}).items():
        if word in map(_plain, names.split()):
            header = name.strip("_").replace("_", "-").title()
            return f"{what}: write {text.format(name=header if text is _HEADER else name)}"
    from difflib import get_close_matches

    near = get_close_matches(word, alike, n=1, cutoff=0.8)
    return f"{what} - did you mean {it}.{alike[near[0]]}?" if near else what


def no_container(kind: str) -> str:
    """The text of the error when a value is used as a list or dict and is neither."""
    return f"{kind!r} object is neither a list nor a dict: {_AS_CONTAINER[kind]}"


def _plain(name: str) -> str:
    return name.replace("_", "").lower()

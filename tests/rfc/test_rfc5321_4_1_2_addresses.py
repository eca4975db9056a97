"""RFC 5321 sections 4.1.2, 4.1.3 and 4.5.3.1: paths, mailboxes, literals and their lengths."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rfc.wire import Connect, Serve, Wire

LABEL = "a" * 63
DOMAIN_255 = ".".join([LABEL, LABEL, LABEL, "b" * 63])
DOMAIN_189 = ".".join([LABEL, LABEL, "c" * 61])

# path -> the mailbox it names; each a sentence form of the ABNF in section 4.1.2 or 4.1.3
WELL_FORMED = {
    "<ann@client.example>": "ann@client.example",
    "<a@b>": "a@b",
    "<ann@a-b.c-d.example>": "ann@a-b.c-d.example",
    "<ann@1.2.3>": "ann@1.2.3",
    "<ann@3com.example>": "ann@3com.example",
    "<ann.b.c@client.example>": "ann.b.c@client.example",
    "<!#$%&'*+-/=?^_`{|}~@client.example>": "!#$%&'*+-/=?^_`{|}~@client.example",
    '<"ann smith"@client.example>': '"ann smith"@client.example',
    '<"a@b"@client.example>': '"a@b"@client.example',
    '<"a>b"@client.example>': '"a>b"@client.example',
    '<"a\\"b\\\\c"@client.example>': '"a\\"b\\\\c"@client.example',
    '<""@client.example>': '""@client.example',
    "<ann@[192.0.2.1]>": "ann@[192.0.2.1]",
    "<ann@[IPv6:2001:db8::1]>": "ann@[IPv6:2001:db8::1]",
    "<ann@[IPv6:::1]>": "ann@[IPv6:::1]",
    "<ann@[IPv6:1:2:3:4:5:6:7:8]>": "ann@[IPv6:1:2:3:4:5:6:7:8]",
    "<ann@[IPv6:::ffff:192.0.2.1]>": "ann@[IPv6:::ffff:192.0.2.1]",
    "<@relay.example:ann@client.example>": "ann@client.example",
    "<@hosta.int,@jkl.org:userc@d.bar.org>": "userc@d.bar.org",
    f"<{'l' * 64}@client.example>": f"{'l' * 64}@client.example",
    f"<{'l' * 64}@{DOMAIN_189}>": f"{'l' * 64}@{DOMAIN_189}",
}

MALFORMED = (
    "",
    "<",
    ">",
    "<ann@client.example",
    "<<ann@client.example>>",
    "<ann@client.example>>",
    "<ann@client.example>x",
    "<ann@client.example>SIZE=1",
    "<@client.example>",
    "<ann@>",
    "<@>",
    "<ann@@client.example>",
    "<ann@b@client.example>",
    "<.ann@client.example>",
    "<ann b@client.example>",
    "<ann(comment)@client.example>",
    "<ann,bob@client.example>",
    '<"ann@client.example>',
    '<ann"@client.example>',
    '<"a"b@client.example>',
    '<"a"b"@client.example>',
    "<ann@-client.example>",
    "<ann@client-.example>",
    "<ann@client..example>",
    "<ann@.client.example>",
    "<ann@client.example.>",
    "<ann@cli ent.example>",
    "<ann@[192.0.2]>",
    "<ann@[192.0.2.256]>",
    "<ann@[192.0.2.1>",
    "<ann@192.0.2.1]>",
    "<ann@[]>",
    "<ann@[IPv6:2001:db8:::1]>",
    "<ann@[IPv6:1:2:3:4:5:6:7]>",
    "<ann@[IPv6:12345::1]>",
    "<ann@[2001:db8::1]>",
    "<ann@[IPv6:fe80::1%eth0]>",
    "<ann@[192.0.2.\u0661]>",
    "<@relay.example ann@client.example>",
    "<@relay.example,ann@client.example>",
    "<@relay_x.example:ann@client.example>",
)
# What RFC 5321 forbids and servers usually take: local users, addresses that mobile carriers have handed out, host
# names with an underscore.
TOLERATED = (
    "<root>",
    "<ann.@client.example>",
    "<ann..b@client.example>",
    "<a.b...@docomo.example>",
    "<ann@client_x.example>",
    "<root@_my_host>",
    "<ann..b>",
)
CONTROLS = ("<a\x01b@client.example>", "<ann@cli\x7fent.example>", "<a\x00@client.example>", '<"a\tb"@client.example>')

COMMANDS = {"mail_from": "MAIL FROM:", "rcpt_to": "RCPT TO:"}
BOTH_GRAMMARS = pytest.mark.parametrize("strict", [False, True], ids=["tolerant", "strict"])
BOTH_COMMANDS = pytest.mark.parametrize("hook", COMMANDS)


def ready(serve: Serve, client: Connect, hook: str, **settings: object) -> tuple[Any, Wire]:
    server = serve(**settings)
    wire = client(server, ehlo=True)
    if hook == "rcpt_to":
        wire.say("MAIL FROM:<>")
    return server, wire


@BOTH_GRAMMARS
@BOTH_COMMANDS
@pytest.mark.parametrize("path", WELL_FORMED)
def test_well_formed_path_names_its_mailbox(serve: Serve, client: Connect, path: str, hook: str, strict: bool) -> None:
    """Section 4.1.2; of source routes: they "MUST BE accepted, SHOULD NOT be generated, and SHOULD be ignored"."""
    server, wire = ready(serve, client, hook, strict=strict)
    assert wire.say(COMMANDS[hook] + path).code == 250
    address = server.log.calls(hook)[-1].args[0]
    assert address == WELL_FORMED[path]
    assert address.domain == WELL_FORMED[path].rpartition("@")[2]


@BOTH_COMMANDS
@pytest.mark.parametrize("path", TOLERATED)
def test_usual_breach_of_the_grammar_is_tolerated(serve: Serve, client: Connect, path: str, hook: str) -> None:
    server, wire = ready(serve, client, hook)
    assert wire.say(COMMANDS[hook] + path).code == 250
    assert server.log.calls(hook)[-1].args[0] == path[1:-1]


@BOTH_COMMANDS
@pytest.mark.parametrize("path", TOLERATED)
def test_it_is_tolerated_without_brackets_and_with_parameters_too(
    serve: Serve, client: Connect, path: str, hook: str
) -> None:
    server, wire = ready(serve, client, hook)
    parameter = {"mail_from": "SIZE=1", "rcpt_to": "NOTIFY=NEVER"}[hook]
    for argument in (path[1:-1], f" {path}", f"{path} {parameter}", f"{path[1:-1]} {parameter}"):
        assert wire.say(COMMANDS[hook] + argument).code == 250
        assert server.log.calls(hook)[-1].args[0] == path[1:-1]
        if hook == "mail_from":
            wire.steps("RSET")


@BOTH_COMMANDS
@pytest.mark.parametrize("path", TOLERATED)
def test_strict_server_refuses_what_others_tolerate(serve: Serve, client: Connect, path: str, hook: str) -> None:
    server, wire = ready(serve, client, hook, strict=True)
    before = len(server.log.calls(hook))
    assert wire.say(COMMANDS[hook] + path).code in (501, 553)
    assert len(server.log.calls(hook)) == before


@BOTH_GRAMMARS
@BOTH_COMMANDS
@pytest.mark.parametrize("path", [*MALFORMED, *CONTROLS])
def test_malformed_path_is_refused_and_no_hook_sees_it(
    serve: Serve, client: Connect, path: str, hook: str, strict: bool
) -> None:
    """Section 4.1.4: "If the ... command argument is not acceptable, a 501 failure reply MUST be returned"."""
    server, wire = ready(serve, client, hook, strict=strict)
    before = len(server.log.calls(hook))
    assert wire.say(COMMANDS[hook] + path).code in (501, 553)
    assert len(server.log.calls(hook)) == before
    assert wire.say(COMMANDS[hook] + "<bob@server.example>").code == 250


@BOTH_GRAMMARS
@pytest.mark.parametrize(
    "command", ["RCPT TO:<>", "RCPT FROM:<a@b.example>", "RCPT <a@b.example>", "RCPT TO <a@b.example>"]
)
def test_rcpt_needs_to_and_a_forward_path(serve: Serve, client: Connect, command: str, strict: bool) -> None:
    """Section 4.1.2: ``Forward-path = Path`` - the null path is for senders only."""
    _, wire = ready(serve, client, "rcpt_to", strict=strict)
    assert wire.say(command).code in (501, 550, 553)
    assert wire.say("DATA").code in (503, 554)


@BOTH_GRAMMARS
@pytest.mark.parametrize(
    "command", ["MAIL TO:<a@b.example>", "MAIL <a@b.example>", "MAIL FROM <a@b.example>", "MAIL FROM"]
)
def test_mail_needs_from_and_a_colon(serve: Serve, client: Connect, command: str, strict: bool) -> None:
    """Section 4.1.1.2: ``mail = "MAIL FROM:" Reverse-path``."""
    _, wire = ready(serve, client, "mail_from", strict=strict)
    assert wire.say(command).code == 501
    assert wire.say("RCPT TO:<b@b.example>").code == 503


TOLERATED_FORMS = {
    "space_after_the_colon": (" <ann@client.example>", 501),
    "no_angle_brackets": ("ann@client.example", 501),
    "local_part_of_65": (f"<{'l' * 65}@client.example>", 501),
    "domain_of_256": (f"<ann@{DOMAIN_255}c.example>", 501),
    "path_over_256": (f"<{'l' * 64}@{DOMAIN_189}.abcde>", 501),
    "utf8_without_SMTPUTF8": ("<änn@client.example>", 553),
}


@BOTH_COMMANDS
@pytest.mark.parametrize("name", TOLERATED_FORMS)
def test_what_servers_usually_tolerate_is_refused_only_when_strict(
    serve: Serve, client: Connect, name: str, hook: str
) -> None:
    """Section 4.5.3.1: "implementation techniques that impose no limits on the length ... should be used"."""
    argument, code = TOLERATED_FORMS[name]
    _, tolerant = ready(serve, client, hook)
    assert tolerant.say(COMMANDS[hook] + argument).code == 250
    server, strict = ready(serve, client, hook, strict=True)
    assert strict.say(COMMANDS[hook] + argument).code == code
    assert len(server.log.calls(hook)) == 0


@pytest.mark.parametrize("strict", [False, True])
def test_local_part_and_domain_are_apart(serve: Serve, client: Connect, strict: bool) -> None:
    """Section 2.3.11: an address is ``local-part "@" domain``."""
    server, wire = ready(serve, client, "rcpt_to", strict=strict)
    wire.say("RCPT TO:<Ann.Smith@Client.Example>")
    wire.say("RCPT TO:<@relay.example:bob@[192.0.2.1]>")
    wire.say("RCPT TO:<Postmaster>")
    parts = [(address.local, address.domain) for address in (call.args[0] for call in server.log.calls("rcpt_to"))]
    assert parts == [("Ann.Smith", "Client.Example"), ("bob", "[192.0.2.1]"), ("Postmaster", "")]

"""4. AUTH."""

from tests.faults.vocabulary import CLEAR_ONLY, EVERY, MAIL, End, Section, Verdict, fault, way

_EHLO = "C: EHLO client.example.org"
_LOGIN = "C: AUTH PLAIN AGFwcABzM2NyZXQ="  # app, s3cret
_WRONG = "C: AUTH PLAIN AGFwcAB3cm9uZw=="  # app, wrong
_XOAUTH2 = "C: AUTH XOAUTH2 dXNlcj1hcHABYXV0aD1CZWFyZXIgc3RhbGUBAQ=="  # app, stale
_RETRY, _STOP = Verdict.RETRY, Verdict.STOP

AUTH = Section(
    title="AUTH",
    opening="ehlo",
    say=(_LOGIN,),
    under=EVERY,
    faults=(
        fault(
            "A01",
            "AUTH is not offered",
            "4954 3",
            _STOP,
            "reports it; does not send without a login",
            way("auth=None", _EHLO, "REPLY 250", "LACKS AUTH"),
            way('disable={"AUTH"}', _EHLO, "REPLY 250", "LACKS AUTH", _LOGIN, "S: 502 5.5.1 *"),
        ),
        fault(
            "A02",
            "there is no common mechanism",
            "4954 4",
            _STOP,
            "reports it",
            way('auth_methods=["XOAUTH2"]', _EHLO, "REPLY 250", "HAS AUTH XOAUTH2", _LOGIN, "S: 504 5.5.4 *"),
        ),
        fault(
            "A03",
            "the user or the password is wrong",
            "4954 6",
            _STOP,
            "reports it, and does not try the same again",
            way('auth={"app": "s3cret"}', _WRONG, "S: 535 5.7.8 *", _LOGIN, "S: 235 *"),
            way('on("auth", reply=535)', "S: 535 5.7.8 *"),
        ),
        fault(
            "A04",
            "the mechanism, or the password, is too weak",
            "4954 6",
            _STOP,
            "reports it",
            way('on("auth", reply="534 5.7.9 Use a stronger way")', "S: 534 5.7.9 Use a stronger way"),
        ),
        fault(
            "A05",
            "the login fails for the moment",
            "4954 6",
            _RETRY,
            "tells it from a wrong password by the code",
            way('on("auth", reply="454 4.7.0 Not now")', "S: 454 4.7.0 Not now"),
        ),
        fault(
            "A06",
            "the password must be changed, or there are too many logins",
            "4954 6",
            _RETRY,
            "comes back later, with fewer connections",
            way('on("auth", reply="432 4.7.12 Change your password")', "S: 432 4.7.12 Change your password"),
        ),
        fault(
            "A07",
            "the login needs TLS",
            "4954 6",
            _STOP,
            "sends STARTTLS and repeats",
            way(
                "auth_requires_tls=True", _EHLO, "REPLY 250", "LACKS AUTH", _LOGIN, "S: 538 5.7.11 *", under=CLEAR_ONLY
            ),
            way('on("auth", reply="538 5.7.11 Not in clear")', "S: 538 5.7.11 Not in clear", under=CLEAR_ONLY),
        ),
        fault(
            "A08",
            "mail needs a login",
            "4954 6",
            _STOP,
            "logs in, or reports that it has no login",
            way("require_auth=True", MAIL, "S: 530 5.7.0 *", _LOGIN, "S: 235 *", MAIL, "S: 250 *"),
        ),
        fault(
            "A09",
            "AUTH gets 421, or ends the connection",
            "5321 3.8",
            _RETRY,
            "keeps the 421; comes back later",
            way('on("auth", reply="421 4.7.0 Too many logins")', "S: 421 4.7.0 Too many logins", end=End.CLOSED),
            way('on("auth", drop=True)', end=End.FIN),
            way('on("auth", drop="rst")', end=End.RST),
        ),
        fault(
            "A10",
            "AUTH is never answered",
            "5321 4.5.3.2",
            _RETRY,
            "has a timeout",
            way('on("auth", hang=True)', end=End.SILENCE),
        ),
        fault(
            "A11",
            "the challenge is no base64",
            "4954 4",
            _STOP,
            "cancels with `*`",
            way('on("auth", raw=b"334 rubbish!\\r\\n", times=1)', b"334 rubbish!\r\n", "C: *", "S: 501 *"),
            way(
                'on("command", verb="AUTH", reply="334 rubbish!")',
                "C: AUTH CRAM-MD5",
                "S: 334 rubbish!",
                "C: *",
                "S: 501 *",
                what="before there were credentials",
                used=(),  # the call of the AUTH command names who gave its last reply
            ),
        ),
        fault(
            "A12",
            "one challenge follows another, for ever",
            "4954 4",
            _STOP,
            "gives up after some challenges",
            way(
                'on("auth", raw=b"334 \\r\\n")',
                b"334 \r\n",
                *(3 * ("C: YWdhaW4=", b"334 \r\n")),
                used=(4,),
                end=End.LEFT,
            ),
        ),
        fault(
            "A13",
            "the reply claims that the client sent no base64",
            "4954 4",
            _STOP,
            "reports it",
            way('on("auth", reply="501 5.5.2 That is no base64")', "S: 501 5.5.2 That is no base64"),
        ),
        fault(
            "A14",
            "the reply claims that the client's line was too long",
            "4954 4",
            _STOP,
            "reports it",
            way('on("auth", reply="500 5.5.6 Too long")', "S: 500 5.5.6 Too long"),
        ),
        fault(
            "A15",
            "AUTH is refused because there has been a login",
            "4954 4",
            Verdict.OK,
            "goes on as logged in",
            way('on("auth", reply="503 5.5.1 You are logged in")', "S: 503 5.5.1 You are logged in"),
            way('auth="any"', _LOGIN, "S: 235 *", _LOGIN, "S: 503 5.5.1 *", what="a second time"),
        ),
        fault(
            "A16",
            "the token is refused with a challenge that explains why",
            "7628 3.2.3",
            _STOP,
            "answers with an empty line, renews the token, tries once more",
            way('auth={"app": "fresh"}', _XOAUTH2, "S: 334 ?*", "C: ", "S: 535 5.7.8 *"),
        ),
        fault(
            "A17",
            "the login succeeds, and may not send as this sender",
            "5321 4.3.2",
            _STOP,
            "reports it",
            way(
                'on("mail_from", user="app", reply="550 5.7.1 Not your address")',
                _LOGIN,
                "S: 235 *",
                MAIL,
                "S: 550 5.7.1 Not your address",
            ),
        ),
    ),
)

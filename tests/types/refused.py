"""What a type checker must refuse: read, never run. An ignore that ignores nothing is an error in both checkers."""

from __future__ import annotations

import pytest_smtpd
from pytest_smtpd import Address, Reject, Session, SMTPServer, SMTPServerFactory, on

# ------------------------------------------------------------------------------------------------- names

_ = pytest_smtpd.SMTPSever  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]

# ------------------------------------------------------------------------------------------------- settings

SMTPServer(tsl="implicit")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
SMTPServer(tls="ssl")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
SMTPServer(port="25")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
SMTPServer(certificate="revoked")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
SMTPServer(auth={"app": 1})  # type: ignore[dict-item]  # pyright: ignore[reportArgumentType]
SMTPServer(auth_methods=["DIGEST-MD5"])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]


def settings_of_the_factory(smtpd_factory: SMTPServerFactory) -> None:
    smtpd_factory(tsl="implicit")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    smtpd_factory(lmtp="yes")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


# ------------------------------------------------------------------------------------------------- rules

on("rctp_to", reply=550)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
on("rcpt_to", repply=550)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
on("rcpt_to", reply=b"550")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
on("data", drop="tcp")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
on("data", raw="250 ok")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
on("data", reply=550, times="2")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def rules_of_a_server(smtpd: SMTPServer) -> None:
    smtpd.on("rctp_to", reply=550)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    smtpd.on("rcpt_to", repply=550)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]

    @smtpd.on("rcpt_to")
    def hook(address: Address, session: Session) -> None: ...

    # The decorator gives back the function itself, with its signature.
    hook("ada@example.com")  # type: ignore[call-arg, arg-type]  # pyright: ignore[reportCallIssue]


# ------------------------------------------------------------------------------------------------- queries


def queries(smtpd: SMTPServer) -> None:
    smtpd.one(recipient="ada@example.com")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    smtpd.find(when="always")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    smtpd.wait_for(count="1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    smtpd.wait_for(1, 2.0)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    smtpd.log.calls("rctp_to")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    smtpd.envelopes[0] = smtpd.one()  # type: ignore[index]  # pyright: ignore[reportIndexIssue]
    smtpd.one().subject = "Hello"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


# ------------------------------------------------------------------------------------------------- refusals

Reject("550")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Reject(550, 5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

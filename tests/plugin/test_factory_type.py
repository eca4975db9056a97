"""``SMTPServerFactory`` is the type of ``smtpd_factory``, at run time too."""

from __future__ import annotations

from pytest_smtpd import SMTPServerFactory


def test_the_factory_is_what_its_type_says(smtpd_factory: SMTPServerFactory) -> None:
    assert isinstance(smtpd_factory, SMTPServerFactory)
    assert repr(smtpd_factory) == "<SMTPServerFactory unused>"
    smtpd_factory("backup")
    smtpd_factory()
    assert repr(smtpd_factory) == "<SMTPServerFactory backup, smtpd>"

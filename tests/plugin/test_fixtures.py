"""The fixtures `smtpd`, `smtpd_ca` and `smtpd_factory`: what a test gets, and that nothing survives it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Run = Callable[..., pytest.RunResult]


def test_a_server_runs_without_any_configuration(run: Run) -> None:
    result = run("""
        def test_welcome(smtpd):
            send(smtpd, "ada@example.com", subject="Welcome")
            envelope = smtpd.one(to="ada@example.com")
            assert (envelope.mail_from, envelope.subject) == ("app@example.com", "Welcome")

        def test_it_listens_on_loopback_on_a_free_port(smtpd):
            assert isinstance(smtpd, SMTPServer)
            assert smtpd.host == "127.0.0.1" and smtpd.port > 0
            assert smtpd.address == (smtpd.host, smtpd.port)
            assert smtpd.url == f"smtp://127.0.0.1:{smtpd.port}"
    """)
    result.assert_outcomes(passed=2)


def test_nothing_survives_the_test(run: Run) -> None:
    result = run("""
        first = []

        def test_first(smtpd):
            first.append(smtpd)
            smtpd.on("mail_from", reply=451, optional=True)
            client = connect(smtpd)                         # left open by an untidy test
            first.append(client)

        def test_second(smtpd):
            server, client = first
            assert smtpd is not server
            assert not smtpd.envelopes and len(smtpd.log) == 0
            send(smtpd)
            assert [call.code for call in smtpd.log.calls("mail_from")] == [250]
            with pytest.raises(smtplib.SMTPServerDisconnected):
                client.noop()
            client.close()

        def test_the_port_of_a_stopped_server_refuses():
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(first[0].address, timeout=5)
    """)
    result.assert_outcomes(passed=3)


def test_the_error_of_a_hook_stays_with_its_own_test(run: Run) -> None:
    result = run("""
        def test_first(smtpd):
            @smtpd.on("mail_from")
            def broken(address, session):
                raise ValueError("only here")
            attempt(smtpd)

        def test_second(smtpd):
            send(smtpd)
    """)
    result.assert_outcomes(failed=1, passed=1)


def test_a_port_that_is_taken_is_reported_at_once(run: Run) -> None:
    result = run("""
        taken = socket.create_server(("127.0.0.1", 0))

        @pytest.mark.smtpd(port=taken.getsockname()[1])
        def test_taken(smtpd):
            pass

        def test_after():
            taken.close()
    """)
    result.assert_outcomes(errors=1, passed=1)
    result.stdout.fnmatch_lines(["*ddress already in use*"])


def test_an_early_mail_is_in_the_log_when_the_client_returns(run: Run) -> None:
    result = run("""
        @pytest.fixture
        def mailed(smtpd):
            send(smtpd, "early@example.com")

        def test_a_fixture_has_sent(mailed, smtpd):
            assert smtpd.one().rcpt_to == ("early@example.com",)
    """)
    result.assert_outcomes(passed=1)


def test_wider_scopes_are_refused_by_pytest_and_served_by_the_constructor(run: Run) -> None:
    result = run("""
        @pytest.fixture(scope="session")
        def wide(smtpd):
            pass

        @pytest.fixture(scope="session")
        def relay():
            with SMTPServer(name="relay") as server:
                yield server

        def test_mismatch(wide):
            pass

        def test_own(relay):
            send(relay)
            relay.one()
    """)
    result.assert_outcomes(errors=1, passed=1)
    result.stdout.fnmatch_lines(["*ScopeMismatch*"])


@pytest.mark.parametrize(
    ("scope", "fixture", "advice"),
    [
        ("session", "smtpd", "smtpd lives for one test; a fixture of session scope takes smtpd_session*"),
        ("module", "smtpd", "smtpd lives for one test; a fixture of module scope takes smtpd_session*"),
        ("class", "smtpd_factory", "smtpd_factory lives for one test; a fixture of class scope takes smtpd_session*"),
    ],
)
def test_a_fixture_of_wider_scope_is_pointed_to_the_server_of_the_session(
    run: Run, scope: str, fixture: str, advice: str
) -> None:
    result = run(f"""
        @pytest.fixture(scope="{scope}")
        def application({fixture}):
            pass

        def test_mismatch(application):
            pass
    """)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["ScopeMismatch: *", advice])


def test_the_scopes_of_other_fixtures_are_not_explained(run: Run) -> None:
    result = run("""
        @pytest.fixture(scope="session")
        def application(tmp_path):
            pass

        def test_mismatch(application, smtpd):
            pass
    """)
    result.assert_outcomes(errors=1)
    result.stdout.no_fnmatch_line("*smtpd_session*")


def test_smtpd_ca_signed_every_certificate(run: Run) -> None:
    result = run("""
        import trustme
        from cryptography import x509

        def peer(server):
            with upgraded(server, server.client_context) as client:
                return x509.load_der_x509_certificate(client.sock.getpeercert(binary_form=True))

        def test_ca(smtpd, smtpd_factory, smtpd_ca):
            assert isinstance(smtpd_ca, trustme.CA)
            ca = x509.load_pem_x509_certificate(smtpd_ca.cert_pem.bytes())
            for server in (smtpd, smtpd_factory("relay")):
                peer(server).verify_directly_issued_by(ca)

        def test_a_client_certificate_it_signs_is_accepted(smtpd_factory, smtpd_ca):
            server = smtpd_factory("strict", client_certificate="required")
            context = ssl.create_default_context()
            smtpd_ca.issue_cert("client@example.com").configure_cert(context)
            with upgraded(server, context) as client:
                assert client.noop()[0] == 250
            assert server.log.sessions()[0].tls.peer_certificate

        first = []

        def test_it_is_the_same_for_the_whole_run(smtpd_ca, smtpd):
            first.append(smtpd_ca.cert_pem.bytes())
            assert smtpd.ca.cert_pem.bytes() == first[0]

        def test_indeed(smtpd_ca):
            assert smtpd_ca.cert_pem.bytes() == first[0]
    """)
    result.assert_outcomes(passed=4)


# ---------------------------------------------------------------- smtpd_factory


def test_the_factory_makes_independent_servers(run: Run) -> None:
    result = run("""
        def test_two(smtpd, smtpd_factory):
            relay, backup = smtpd_factory("relay"), smtpd_factory("backup", tls="implicit", banner="spare")
            assert (smtpd.name, relay.name, backup.name) == ("smtpd", "relay", "backup")
            assert len({server.port for server in (smtpd, relay, backup)}) == 3
            assert backup.url.startswith("smtps://")
            send(relay, "ada@example.com")
            send(backup, "bob@example.com")
            assert not smtpd.envelopes
            assert relay.one().rcpt_to == ("ada@example.com",)
            assert backup.one().rcpt_to == ("bob@example.com",)

        def test_the_name_is_optional(smtpd_factory):
            send(smtpd_factory())
            assert smtpd_factory(name="relay").name == "relay"
    """)
    result.assert_outcomes(passed=2)


def test_servers_of_the_factory_are_stopped_after_the_test(run: Run) -> None:
    result = run("""
        made = []

        @pytest.fixture
        def relay(smtpd_factory):
            return smtpd_factory("relay")

        def test_first(smtpd_factory, relay):
            made.extend([relay, smtpd_factory("other")])

        def test_second():
            for server in made:
                with pytest.raises(ConnectionRefusedError):
                    socket.create_connection(server.address, timeout=5)
    """)
    result.assert_outcomes(passed=2)


def test_rules_of_the_factory_act_on_its_server_only(run: Run) -> None:
    result = run("""
        def test_on(smtpd, smtpd_factory):
            first = on("rcpt_to", reply="452 4.2.2 first", times=1)
            second = on("rcpt_to", reply="550 5.1.1 second", times=1)
            full = smtpd_factory("full", on=[first, second])
            assert order(full) == ["first", "second"]
            assert order(smtpd) == []

        def test_a_single_rule_needs_no_list(smtpd_factory):
            assert order(smtpd_factory("full", on=on("rcpt_to", reply="452 4.2.2 only", times=1))) == ["only"]
    """)
    result.assert_outcomes(passed=2)


def test_markers_apply_to_smtpd_and_not_to_the_factory(run: Run) -> None:
    result = run("""
        @pytest.mark.smtpd(banner="marked")
        @pytest.mark.smtpd_on("rcpt_to", reply="550 5.1.1 marked", times=1)
        def test_marked(smtpd, smtpd_factory):
            relay = smtpd_factory("relay")
            assert (banner(smtpd), order(smtpd)) == ("marked", ["marked"])
            assert (banner(relay), order(relay)) == ("", [])
    """)
    result.assert_outcomes(passed=1)


def test_a_rule_with_a_name_acts_on_the_server_so_called(run: Run) -> None:
    result = run("""
        @pytest.mark.smtpd_on("rcpt_to", reply="550 5.1.1 marker", times=1, name="relay")
        def test_marker(smtpd, smtpd_factory):
            relay, other = smtpd_factory("relay"), smtpd_factory("other")
            assert [order(server) for server in (smtpd, relay, other)] == [[], ["marker"], []]

        RELAYED = on("rcpt_to", reply="550 5.1.1 parameter", times=1, name="re*")

        @pytest.mark.parametrize("smtpd", [RELAYED], indirect=True)
        def test_parameter(smtpd, smtpd_factory):
            assert (order(smtpd), order(smtpd_factory("relay"))) == ([], ["parameter"])

        @pytest.mark.smtpd_on("rcpt_to", reply="550 5.1.1 marker", times=1, name="smtpd")
        def test_own_name(smtpd, smtpd_factory):
            assert (order(smtpd), order(smtpd_factory("relay"))) == (["marker"], [])

        @pytest.mark.smtpd_on("rcpt_to", reply="550 5.1.1 marker", times=1, name="relay")
        def test_the_factory_alone(smtpd_factory):
            assert order(smtpd_factory("relay")) == ["marker"]
    """)
    result.assert_outcomes(passed=4)


def test_a_rule_whose_name_no_server_has_is_unused(failure: Callable[..., pytest.TestReport]) -> None:
    report = failure("""
        @pytest.mark.smtpd_on("rcpt_to", reply=550, name="rely")
        def test_typo(smtpd, smtpd_factory):
            send(smtpd_factory("relay"))
    """)
    assert report.when == "call"
    assert "name='rely'" in report.longreprtext


def test_wrong_arguments_of_the_factory_are_type_errors_with_a_suggestion(run: Run) -> None:
    result = run("""
        @pytest.mark.parametrize(("settings", "text"), [
            ({"tsl": "implicit"}, "unknown setting 'tsl' - did you mean 'tls'?"),
            ({"on": ["550"]}, "on"),
            ({"size": "big"}, "size"),
        ])
        def test_wrong(smtpd_factory, settings, text):
            with pytest.raises((TypeError, ValueError), match=re.escape(text)):
                smtpd_factory("relay", **settings)
    """)
    result.assert_outcomes(passed=3)


def test_the_factory_verifies_its_servers(run: Run) -> None:
    result = run("""
        def test_hook(smtpd_factory):
            relay = smtpd_factory("relay")
            @relay.on("mail_from")
            def broken(address, session):
                raise ValueError("seen in the call phase")
            attempt(relay)
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *ValueError: seen in the call phase"])

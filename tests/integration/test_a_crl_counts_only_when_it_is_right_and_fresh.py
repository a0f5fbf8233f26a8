"""Expired, missing, broken, foreign and older lists; chains; CAs that share a name or a serial."""

import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

import proxy
from tls_peer import alert_of, lax_context


def status(certgate, identity, name="api.example.com"):
    with proxy.Client(certgate.port, lax_context(identity), name) as client:
        return client.get("/").status


def host(setup, name="api.example.com", cas=(), crls=(), **auth):
    one = setup.host([name])
    one["client_auth"].update(auth)
    one["client_auth"]["ca"] = [ca.path.name for ca in cas] or setup.ca.path.name
    one["client_auth"]["crl"] = [str(crl) for crl in crls] or setup.ca.crl_path.name
    return one


def test_threat_35_an_expired_list_denies_or_is_used_as_the_host_says(setup):
    valid, revoked = setup.ca.issue("valid"), setup.ca.issue("revoked")
    setup.ca.revoke(revoked)
    hour = datetime.timedelta(hours=1)
    setup.ca.write_crl(this_update=proxy.now() - 2 * hour, next_update=proxy.now() - hour)
    hosts = [host(setup, "deny.example.com"),
             host(setup, "last.example.com", on_expired_crl="use_last")]
    with setup.start(hosts=hosts) as certgate:
        assert "has expired" in certgate.log()  # loudly
        assert status(certgate, valid, "deny.example.com") == 403
        assert certgate.records(1, sni="deny.example.com")[0]["cert_verdict"] == "crl_unusable"
        assert status(certgate, valid, "last.example.com") == 200
        assert status(certgate, revoked, "last.example.com") == 403
        assert certgate.records(1, sni="last.example.com", status=403)[0]["cert_verdict"] == \
            "revoked"
        setup.ca.write_crl()
        certgate.reload()
        assert status(certgate, valid, "deny.example.com") == 200
        assert status(certgate, revoked, "deny.example.com") == 403


def test_an_expired_list_on_require_fails_the_handshake_and_says_why(setup):
    valid = setup.ca.issue("valid")
    hour = datetime.timedelta(hours=1)
    setup.ca.write_crl(this_update=proxy.now() - 2 * hour, next_update=proxy.now() - hour)
    with setup.start(hosts=[host(setup, mode="require")]) as certgate:
        assert alert_of(certgate.port, lax_context(valid)) == "bad_certificate"
        record = certgate.records(1, event="handshake_failed")[0]
        assert record["cert_verdict"] == "crl_unusable" and record["cert_subject"] == "CN=valid"
        assert record["reason"] == "CRL has expired"


def test_threat_39_a_list_for_cas_only_says_nothing_about_clients(setup):
    """RFC 5280 §5.2.5: onlyContainsCACerts. What it names is revoked; it covers nobody else."""
    alice, bob = setup.ca.issue("alice"), setup.ca.issue("bob")
    scope = x509.IssuingDistributionPoint(None, None, False, True, None, False, False)
    proxy.write_whole(setup.ca.crl_path, sign_crl(setup, setup.ca.key, setup.ca.subject, 9,
                                                  [alice.certificate.serial_number],
                                                  [(scope, True)]))
    users = x509.IssuingDistributionPoint(None, None, True, False, None, False, False)
    path = setup.folder / "users.crl"
    proxy.write_whole(path, sign_crl(setup, setup.ca.key, setup.ca.subject, 9,
                                     [bob.certificate.serial_number], [(users, True)]))
    both = host(setup, crls=[setup.ca.crl_path.name, path.name])
    carol = setup.ca.issue("carol")
    with setup.start(hosts=[both]) as certgate:
        assert status(certgate, alice) == 403 and status(certgate, bob) == 403
        assert status(certgate, carol) == 200
        # Without the users' list nobody says whether carol is revoked: refused, and said why.
        certgate.reload(setup.config(hosts=[host(setup, crls=[setup.ca.crl_path.name])]))
        assert "is for CA certificates only" in certgate.log()
        assert status(certgate, carol) == 403 and status(certgate, alice) == 403
        record = certgate.records(1, cert_subject="CN=carol", status=403)[0]
        assert record["cert_verdict"] == "crl_unusable", record
        assert record["cert_reason"] == "no CRL of its issuer covers it", record


def point_crl(setup, point, number=9, revoked=(), name=None):
    """A list for the certificates of one distribution point only."""
    names = [x509.UniformResourceIdentifier(point)]
    scope = x509.IssuingDistributionPoint(names, None, False, False, None, False, False)
    path = setup.folder / (name or point.rsplit("/", 1)[1])
    proxy.write_whole(path, sign_crl(setup, setup.ca.key, setup.ca.subject, number, revoked,
                                     [(scope, True)]))
    return path.name


def test_threat_39_a_list_of_another_distribution_point_covers_nobody(setup):
    """Partitions: each covers the certificates that name it, and no others."""
    one, two = "http://crl.example.com/1.crl", "http://crl.example.com/2.crl"
    first, second = setup.ca.issue("first", crl_points=[one]), setup.ca.issue("second",
                                                                             crl_points=[two])
    plain = setup.ca.issue("plain")
    partition = point_crl(setup, one)
    with setup.start(hosts=[host(setup, crls=[partition])]) as certgate:
        assert status(certgate, first) == 200
        assert status(certgate, second) == status(certgate, plain) == 403
        certgate.reload(setup.config(hosts=[host(setup, crls=[partition, point_crl(setup, two)])]))
        assert status(certgate, first) == status(certgate, second) == 200
        assert status(certgate, plain) == 403


def test_threats_36_39_a_client_whose_issuer_no_list_covers_is_not_verified(setup):
    """Two CAs, a list of one of them: whom the other issued is let in nowhere, handshake included;
    a host without any list does not ask for one."""
    other = proxy.Authority(setup.folder, "Other CA")
    known, unknown = setup.ca.issue("known"), other.issue("unknown")
    cas = [setup.ca, other]
    crls = [setup.ca.crl_path.name]
    no_list = host(setup, "none.example.com", cas)
    del no_list["client_auth"]["crl"]
    hosts = [host(setup, "request.example.com", cas, crls),
             host(setup, "last.example.com", cas, crls, on_expired_crl="use_last"),
             host(setup, "require.example.com", cas, crls, mode="require"), no_list]
    with setup.start(hosts=hosts) as certgate:
        assert "no CRL speaks for the issuer `CN=Other CA`" in certgate.log()
        assert "host `none.example.com` has no CRL" in certgate.log()
        for name in ("request", "last"):
            assert status(certgate, known, f"{name}.example.com") == 200
            assert status(certgate, unknown, f"{name}.example.com") == 403
        record = certgate.records(1, sni="request.example.com", status=403)[0]
        assert record["cert_verdict"] == "crl_unusable"
        assert record["cert_reason"] == "there is no CRL of its issuer"
        assert status(certgate, known, "require.example.com") == 200
        assert alert_of(certgate.port, lax_context(unknown),
                        "require.example.com") == "bad_certificate"
        assert status(certgate, unknown, "none.example.com") == 200
        # The list arrives: the very next request is let in.
        with proxy.Client(certgate.port, lax_context(unknown), "request.example.com") as client:
            assert client.get("/").status == 403
            hosts[0]["client_auth"]["crl"] = crls + [other.crl_path.name]
            certgate.reload(setup.config(hosts=hosts))
            assert client.get("/").status == 200


def test_threat_35_a_list_that_expires_under_an_open_connection_denies_its_next_request(setup):
    valid = setup.ca.issue("valid")
    hosts = [host(setup, "deny.example.com"),
             host(setup, "last.example.com", on_expired_crl="use_last")]
    with setup.start(hosts=hosts) as certgate, \
            proxy.Client(certgate.port, lax_context(valid), "deny.example.com") as deny, \
            proxy.Client(certgate.port, lax_context(valid), "last.example.com") as last:
        setup.ca.write_crl(next_update=proxy.now() + datetime.timedelta(seconds=6))
        certgate.reload()
        assert deny.get("/").status == last.get("/").status == 200
        proxy.wait_until(lambda: deny.get("/").status == 403, "the end of the list")
        assert last.get("/").status == 200


def sign_crl(setup, key, subject, number, revoked=(), extensions=()):
    builder = (x509.CertificateRevocationListBuilder().issuer_name(subject)
               .last_update(proxy.now() - datetime.timedelta(minutes=1))
               .next_update(proxy.now() + datetime.timedelta(days=9))
               .add_extension(x509.CRLNumber(number), False))
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    for serial in revoked:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder().serial_number(serial)
            .revocation_date(proxy.now() - datetime.timedelta(minutes=1)).build())
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def test_threats_37_38_42_a_list_that_cannot_be_trusted_refuses_the_reload(setup):
    valid, revoked = setup.ca.issue("valid"), setup.ca.issue("revoked")
    first = setup.ca.crl_path.read_bytes()
    setup.ca.revoke(revoked)
    good = setup.ca.crl_path.read_bytes()
    other = proxy.Authority(setup.folder, "Other CA")
    impostor = ec.generate_private_key(ec.SECP256R1())
    der = bytearray(x509.load_pem_x509_crl(good).public_bytes(serialization.Encoding.DER))
    at = der.index(x509.load_pem_x509_crl(good)[0].serial_number.to_bytes(20, "big").lstrip(b"\0"))
    der[at + 3] ^= 1
    last = 1 + setup.ca.crl_number
    delta = (x509.DeltaCRLIndicator(1), True)
    indirect = (x509.IssuingDistributionPoint(None, None, False, False, None, True, False), True)
    bad = {
        "older": first,
        "empty": b"",
        "no PEM": b"hello\n",
        "a certificate": setup.ca.pem(),
        "foreign": other.crl_path.read_bytes(),
        "same name, other key": sign_crl(setup, impostor, setup.ca.subject, last),
        "tampered": bytes(der),
        "delta": sign_crl(setup, setup.ca.key, setup.ca.subject, last, extensions=[delta]),
        "indirect": sign_crl(setup, setup.ca.key, setup.ca.subject, last, extensions=[indirect]),
        "trailing rubbish": good + b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n",
    }
    for size in range(len(good) // 8, len(good) - 30, len(good) // 4):
        bad[f"cut at {size}"] = good[:size]
    with setup.start() as certgate, setup.client(certgate, valid) as client, \
            setup.client(certgate, revoked) as blocked:
        for what, content in bad.items():
            proxy.write_whole(setup.ca.crl_path, content)
            lines = certgate.reload(good=False)
            assert setup.ca.crl_path.name in lines, (what, lines)
            assert client.get("/").status == 200 and blocked.get("/").status == 403, what
        setup.ca.crl_path.unlink()
        assert setup.ca.crl_path.name in certgate.reload(good=False)
        assert blocked.get("/").status == 403
        proxy.write_whole(setup.ca.crl_path, good)
        certgate.reload()
        assert client.get("/").status == 200 and blocked.get("/").status == 403
        # The same in DER is the same.
        proxy.write_whole(setup.ca.crl_path,
                          x509.load_pem_x509_crl(good).public_bytes(serialization.Encoding.DER))
        certgate.reload()
        assert client.get("/").status == 200 and blocked.get("/").status == 403


def test_threat_38_an_older_list_is_refused_under_another_name_too(setup):
    """Neither a renamed file nor a CA more makes people unrevoked."""
    revoked = setup.ca.issue("revoked")
    older = setup.folder / "older.crl"
    older.write_bytes(setup.ca.crl_path.read_bytes())
    setup.ca.revoke(revoked)
    other = proxy.Authority(setup.folder, "Other CA")
    with setup.start() as certgate:
        assert status(certgate, revoked) == 403
        renamed = host(setup, crls=["older.crl"])
        certgate.reload(setup.config(hosts=[renamed]), good=False)
        more = host(setup, cas=[setup.ca, other], crls=["older.crl", other.crl_path.name])
        assert "older.crl" in certgate.reload(setup.config(hosts=[more]), good=False)
        assert status(certgate, revoked) == 403
        newer = setup.ca.write_crl(path=setup.folder / "newer.crl")
        certgate.reload(setup.config(hosts=[host(setup, crls=[newer.name])]))
        assert status(certgate, revoked) == 403
    # The way of an operator who wants it so: a start.
    with setup.start(setup.config(hosts=[renamed])) as certgate:
        assert status(certgate, revoked) == 200


def test_threat_36_leaf_or_chain_with_each_subset_of_lists(setup):
    """Chain of three. The leaf's list is that of the issuing CA; the root's speaks of that CA."""
    root = proxy.Authority(setup.folder, "Root CA")
    issuing = proxy.Authority(setup.folder, "Issuing CA", issuer=root)
    good = issuing.issue("good", extra_chain=[issuing])
    gone = issuing.issue("gone", extra_chain=[issuing])
    issuing.revoke(gone)

    def hosts(crls):
        anchors = [root, issuing]
        paths = [ca.crl_path.name for ca in crls]
        return [host(setup, "leaf.example.com", anchors, paths),
                host(setup, "chain.example.com", anchors, paths, crl_check="chain")]

    def answers(certgate):
        return [status(certgate, who, name) for who in (good, gone)
                for name in ("leaf.example.com", "chain.example.com")]

    with setup.start(hosts=hosts([root, issuing])) as certgate:
        assert answers(certgate) == [200, 200, 403, 403]
        # Without the issuing CA's list nobody can say who is revoked.
        certgate.reload(setup.config(hosts=hosts([root])))
        assert answers(certgate) == [403, 403, 403, 403]
        # `chain` needs the root's list as well; `leaf` does not.
        certgate.reload(setup.config(hosts=hosts([issuing])))
        assert answers(certgate) == [200, 403, 403, 403]
        root.revoked.append((issuing.certificate.serial_number,
                             x509.ReasonFlags.ca_compromise))
        root.write_crl()
        certgate.reload(setup.config(hosts=hosts([root, issuing])))
        assert answers(certgate) == [200, 403, 403, 403]
        certgate.reload(setup.config(hosts=hosts([root])))
        assert answers(certgate) == [403, 403, 403, 403]


@pytest.mark.parametrize("same_name", [True, False])
def test_threats_30_32_two_cas_with_one_name_or_one_serial_are_kept_apart(setup, same_name):
    first = proxy.Authority(setup.folder, "First CA")
    subject = first.subject if same_name else None
    second = proxy.Authority(setup.folder, "Second CA", subject=subject)
    serial = x509.random_serial_number()
    one, two = first.issue("one", serial=serial), second.issue("two", serial=serial)
    cas = [first, second]
    config = setup.config(hosts=[host(setup, cas=cas, crls=[ca.crl_path.name for ca in cas])])
    with setup.start(config) as certgate:
        assert status(certgate, one) == status(certgate, two) == 200
        first.revoke(one)
        certgate.reload()
        assert status(certgate, one) == 403 and status(certgate, two) == 200
        second.revoke(two)
        first.revoked.clear()
        first.write_crl()
        certgate.reload()
        assert status(certgate, one) == 200 and status(certgate, two) == 403


def test_threat_40_holds_and_dates_in_the_future_count_as_revoked(setup):
    hold, later, valid = (setup.ca.issue(name) for name in ("hold", "later", "valid"))
    setup.ca.revoke(hold, x509.ReasonFlags.certificate_hold)
    with setup.start() as certgate:
        assert status(certgate, hold) == 403 and status(certgate, later) == 200
        builder = (x509.CertificateRevocationListBuilder().issuer_name(setup.ca.subject)
                   .last_update(proxy.now()).next_update(proxy.now() + datetime.timedelta(days=9))
                   .add_extension(x509.CRLNumber(setup.ca.crl_number + 1), False)
                   .add_revoked_certificate(
                       x509.RevokedCertificateBuilder()
                       .serial_number(later.certificate.serial_number)
                       .revocation_date(proxy.now() + datetime.timedelta(days=1)).build()))
        crl = builder.sign(setup.ca.key, hashes.SHA256())
        proxy.write_whole(setup.ca.crl_path, crl.public_bytes(serialization.Encoding.PEM))
        day = (proxy.now() + datetime.timedelta(days=1)).strftime("%Y-%m-%d")
        assert f"`CN=Client CA` has revocation dates in the future, up to {day}" in certgate.reload()
        assert status(certgate, hold) == 200  # lifted
        assert status(certgate, later) == 403 and status(certgate, valid) == 200


def test_a_list_that_is_refused_at_reload_is_refused_at_start(setup):
    other = proxy.Authority(setup.folder, "Other CA")
    path = setup.folder / "certgate.yaml"
    for crl in (other.crl_path.name, "missing.crl", setup.ca.path.name):
        config = setup.config(hosts=[host(setup, crls=[crl])])
        certgate = proxy.Certgate(setup.folder, config, wait=False)
        assert certgate.process.wait(proxy.PATIENCE) == 2
        certgate.errors.close()
        refused = proxy.run("check", "--config", path, status=2)
        assert crl in refused.stdout + refused.stderr

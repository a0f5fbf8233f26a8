"""The main job: the valid client is forwarded, every other one is blocked, each is recorded."""

import datetime

import proxy


def test_who_gets_through(setup):
    valid = setup.ca.issue("alice")
    revoked = setup.ca.issue("stolen")
    setup.ca.revoke(revoked)
    expired = setup.ca.issue("old", valid_from=proxy.now() - datetime.timedelta(days=9),
                             valid_for=datetime.timedelta(days=2))
    stranger = proxy.Authority(setup.folder, "Other CA").issue("mallory")
    with setup.start() as certgate:
        for identity, status in [(valid, 200), (revoked, 403), (expired, 403), (stranger, 403),
                                 (None, 403)]:
            with setup.client(certgate, identity) as client:
                response = client.get("/v1/hello?x=1")
                assert response.status == status, identity and identity.name
                assert (response.body == b"hello\n") == (status == 200)
        records = certgate.records(5)
    assert len(setup.origin.requests) == 1
    assert [r["status"] for r in records].count(403) == 4
    passed = next(r for r in records if r["status"] == 200)
    assert passed["path"] == "/v1/hello"


def test_a_connection_carries_many_requests(setup):
    valid = setup.ca.issue("alice")
    with setup.start() as certgate, setup.client(certgate, valid) as client:
        for number in range(20):
            assert client.get(f"/{number}").status == 200
        client.send("GET /a HTTP/1.1\r\nHost: api.example.com\r\n\r\n" * 3)
        for _ in range(3):
            assert client.read_response().status == 200
        certgate.records(23)
    assert len(setup.origin.requests) == 23
    assert len({r.connection for r in setup.origin.requests}) == 1

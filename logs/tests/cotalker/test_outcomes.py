from __future__ import annotations

import base64
import random
import string
import uuid

import pytest

from logs.cotalker.outcomes import Cause, classify_outcome, fingerprint, is_success


@pytest.mark.parametrize("status", range(200, 210))
def test_200_to_209_is_a_success(status):
    assert is_success(status) is True


@pytest.mark.parametrize("status", [None, 0, 100, 101, 199, 210, 226, 299, 300, 302, 400, 409, 500, 599])
def test_everything_else_is_a_failure(status):
    assert is_success(status) is False


@pytest.mark.parametrize(
    ("response", "cause"),
    [
        ("connect ETIMEDOUT 67.225.146.248:443", Cause.TIMEOUT),
        ("  connect ETIMEDOUT 67.225.146.248:443\n", Cause.TIMEOUT),
        ("connect ETIMEDOUT 2606:4700::1111:443", Cause.TIMEOUT),
        ("read ETIMEDOUT", Cause.TIMEOUT),
        ("ETIMEDOUT", Cause.TIMEOUT),
        ("ESOCKETTIMEDOUT", Cause.TIMEOUT),
        ("Error: ESOCKETTIMEDOUT", Cause.TIMEOUT),
        ("timeout of 10000ms exceeded", Cause.TIMEOUT),
        ("AxiosError: timeout of 10000ms exceeded", Cause.TIMEOUT),
        ("Timeout of 5000ms exceeded", Cause.TIMEOUT),
        ("network timeout at: https://www.server.com/hook", Cause.TIMEOUT),
        ("connect EHOSTUNREACH 10.0.0.1:443", Cause.TIMEOUT),
        ("connect ECONNREFUSED 127.0.0.1:9", Cause.REFUSED),
        ("ECONNREFUSED", Cause.REFUSED),
        ("request to https://www.server.com/ failed, reason: connect ECONNREFUSED 1.2.3.4:443", Cause.REFUSED),
        ("FetchError: request to https://a.b/ failed, reason: certificate has expired", Cause.TLS),
        ("getaddrinfo ENOTFOUND www.server.com", Cause.DNS),
        ("getaddrinfo EAI_AGAIN www.server.com:443", Cause.DNS),
        ("queryA ENOTFOUND www.server.com", Cause.DNS),
        ("queryAaaa ESERVFAIL www.server.com", Cause.DNS),
        ("socket hang up", Cause.RESET),
        ("read ECONNRESET", Cause.RESET),
        ("write EPIPE", Cause.RESET),
        ("aborted", Cause.RESET),
        ("certificate has expired", Cause.TLS),
        ("self signed certificate", Cause.TLS),
        ("self-signed certificate in certificate chain", Cause.TLS),
        ("unable to verify the first certificate", Cause.TLS),
        ("unable to get local issuer certificate", Cause.TLS),
        ("Hostname/IP does not match certificate's altnames: Host: a.b. is not in the cert's altnames", Cause.TLS),
        ("ERR_TLS_CERT_ALTNAME_INVALID", Cause.TLS),
        ("CERT_HAS_EXPIRED", Cause.TLS),
        ("DEPTH_ZERO_SELF_SIGNED_CERT", Cause.TLS),
        ("SELF_SIGNED_CERT_IN_CHAIN", Cause.TLS),
        ("UNABLE_TO_VERIFY_LEAF_SIGNATURE", Cause.TLS),
        ("write EPROTO 140735:error:1408F10B:SSL routines:ssl3_get_record:wrong version number", Cause.TLS),
        ("Client network socket disconnected before secure TLS connection was established", Cause.TLS),
    ],
)
@pytest.mark.parametrize("status", [409, 500, None])
def test_the_text_of_a_transport_error_overrides_the_status(status, response, cause):
    assert classify_outcome(status, response) is cause


@pytest.mark.parametrize(
    ("status", "response", "cause"),
    [
        (500, '{"error":"lock timeout"}', Cause.HTTP_5XX),
        (500, '{"message":"connect ETIMEDOUT 10.0.0.1:5432"}', Cause.HTTP_5XX),
        (500, '{"code":"ECONNREFUSED"}', Cause.HTTP_5XX),
        (500, "The database said: connect ECONNREFUSED 10.0.0.1:5432", Cause.HTTP_5XX),
        (502, "<html><h1>socket hang up</h1></html>", Cause.HTTP_5XX),
        (504, "Request Timeout", Cause.HTTP_5XX),
        (504, "upstream request timeout", Cause.HTTP_5XX),
        (408, "timeout", Cause.HTTP_4XX),
        (500, "aborted by user 17", Cause.HTTP_5XX),
        (422, "Certificate has expired for driver 17", Cause.HTTP_4XX),
        (422, "UNABLE_TO_PROCESS order", Cause.HTTP_4XX),
        (422, "EPROTOCOL", Cause.HTTP_4XX),
        (404, "ENOTFOUNDATION", Cause.HTTP_4XX),
        (400, "", Cause.HTTP_4XX),
        (499, "x", Cause.HTTP_4XX),
        (301, "Moved", Cause.REDIRECT),
        (399, "", Cause.REDIRECT),
        (599, "", Cause.HTTP_5XX),
        (101, "", Cause.OTHER),
        (210, "ok", Cause.OTHER),
        (226, "ok", Cause.OTHER),
        (600, "", Cause.OTHER),
        (0, "", Cause.OTHER),
        (None, "", Cause.OTHER),
        (None, "other action", Cause.OTHER),
    ],
)
def test_a_response_is_classified_by_its_status(status, response, cause):
    assert classify_outcome(status, response) is cause


def test_a_success_has_no_cause_regardless_of_the_response():
    assert classify_outcome(200, "connect ETIMEDOUT 67.225.146.248:443") == ""


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("connect ETIMEDOUT 67.225.146.248:443", "connect ETIMEDOUT {ip}:443"),
        ("connect ECONNREFUSED ::1:443", "connect ECONNREFUSED {ip}:443"),
        ("connect ETIMEDOUT 2606:4700:4700::1111:443", "connect ETIMEDOUT {ip}:443"),
        ("connect ECONNREFUSED [2606:4700::1]:8443", "connect ECONNREFUSED {ip}:8443"),
        ("connect ECONNREFUSED www.server.com:443", "connect ECONNREFUSED {host}:443"),
        ("getaddrinfo ENOTFOUND www.server.com", "getaddrinfo ENOTFOUND {host}"),
        ("getaddrinfo EAI_AGAIN www.server.com:443", "getaddrinfo EAI_AGAIN {host}"),
        ("POST https://u:p@www.server.com:8443/hook failed", "POST https://{host}/hook failed"),
        ("read ECONNRESET while reading", "read ECONNRESET while reading"),
        ("certificate has expired", "certificate has expired"),
        ("timeout of 10000ms exceeded", "timeout of 10000ms exceeded"),
        ('{"error":"duplicate employee code"}', '{"error":"duplicate employee code"}'),
        ('{"error":"no user","id":12345}', '{"error":"no user","id":{n}}'),
        ('{"error":"no user 62742dd824c886d54e60f02b"}', '{"error":"no user {id}"}'),
        ("no user 3F2504E0-4F89-11D3-9A0C-0305E82C3301", "no user {id}"),
        ("locked since 2022-05-05T20:04:40.084Z", "locked since {time}"),
        ("locked since 20:04:40", "locked since {time}"),
        ("order 12345 is unknown", "order {n} is unknown"),
        ("order12345 is unknown", "order{n} is unknown"),
        ("request id 7f3k9 failed", "request id {id} failed"),
        ("request 7f3k9q2x failed", "request {id} failed"),
        ("Request failed with status code 404", "Request failed with status code 404"),
        ("502 Bad Gateway", "502 Bad Gateway"),
        ("<html><head><title>502 Bad Gateway</title></head>\n<hr>nginx</html>", "502 Bad Gateway nginx"),
        ("  two\n\tlines  ", "two lines"),
    ],
)
def test_a_fingerprint_omits_what_differs_between_failures(response, expected):
    assert fingerprint(response, 500, Cause.HTTP_5XX) == expected


_LETTERS, _DIGITS = string.ascii_letters, string.digits
OPAQUE = {
    "UUID": lambda chance: str(uuid.UUID(int=chance.getrandbits(128))),
    "hex": lambda chance: f"{chance.getrandbits(48):012x}",
    "base64": lambda chance: base64.b64encode(chance.randbytes(24)).decode(),
    "base64, for URLs": lambda chance: base64.urlsafe_b64encode(chance.randbytes(16)).decode().rstrip("="),
    "letters and digits": lambda chance: "".join(chance.choices(_LETTERS + _DIGITS, k=22)),
    "with a prefix": lambda chance: "req_" + "".join(chance.choices(_LETTERS + _DIGITS, k=16)),
    "ULID": lambda chance: "01HV" + "".join(chance.choices("0123456789ABCDEFGHJKMNPQRSTVWXYZ", k=22)),
    "trace of AWS": lambda chance: f"1-{chance.getrandbits(32):08x}-{chance.getrandbits(96):024x}",
    "traceparent": lambda chance: f"00-{chance.getrandbits(128):032x}-{chance.getrandbits(64):016x}-01",
    "ray": lambda chance: f"{chance.getrandbits(64):016x}-SCL",
    "number": lambda chance: f"INC{chance.randrange(10**7):07}",
    "short": lambda chance: "".join(chance.choices(string.ascii_uppercase + _DIGITS, k=6)),
}


@pytest.mark.parametrize("kind", OPAQUE)
def test_opaque_ids_do_not_create_new_fingerprints(kind):
    """Some ids with hardly any digits stay, because they look like words."""
    named, bare = '{"error":"No stock","requestId":"%s"}', "No stock (%s), try again"
    make, chance = OPAQUE[kind], random.Random(20)
    for text, most in ((named, 12), (bare, 40)):
        if (kind, text) != ("short", bare):
            kinds = {fingerprint(text % make(chance), 500, Cause.HTTP_5XX) for _number in range(2000)}
            assert len(kinds) <= most, sorted(kinds)[:20]


@pytest.mark.parametrize(
    "text",
    [
        "java.lang.NullPointerException at com.acme.orders.OrderService.process",
        "SQLIntegrityConstraintViolationException",
        "HTTPSConnectionPool: Max retries exceeded with url: /api/v2/Orders/getOrderById",
        "ERR_TLS_CERT_ALTNAME_INVALID",
        "SQLSTATE[42P01]: Undefined table",
        "TLSv1.2 utf8 oauth2client log4j2 base64",
        "invalid JSON, invalid E2 in idle state, paid AB12",
        "/srv/App1/Foo2/barBaz/index.php",
    ],
)
def test_words_stay_in_a_fingerprint(text):
    assert fingerprint(text, 500, Cause.HTTP_5XX) == text


def test_without_text_the_status_or_the_cause_is_the_fingerprint():
    assert fingerprint("", 503, Cause.HTTP_5XX) == "503"
    assert fingerprint("<br>", 503, Cause.HTTP_5XX) == "503"
    assert fingerprint("", None, Cause.OTHER) == "other"


def test_a_fingerprint_is_at_most_120_characters_long():
    assert fingerprint("word " * 2000, 500, Cause.HTTP_5XX) == ("word " * 24)


@pytest.mark.parametrize(
    "piece", ["<", "a", "1", "1.", "0:", "[0", "://", "ENOTFOUND ", "ECONNREFUSED a", "-", "Error: ", "\\"]
)
def test_hostile_text_has_a_cause_and_a_fingerprint(piece):
    """How long it takes is measured by `benchmarks.pages`."""
    text = (piece * 8192)[:8192]
    assert 0 < len(fingerprint(text, 500, Cause.HTTP_5XX)) <= 120
    assert classify_outcome(500, text) in Cause
    assert classify_outcome(500, f"request to {text} failed") == Cause.HTTP_5XX

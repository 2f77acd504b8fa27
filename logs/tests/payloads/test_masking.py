"""Masked values, and that nothing else changes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logs.payloads.masking import (
    DEFAULT_MASKED_KEYS,
    MASK,
    MaskedKeys,
    is_under_masked_key,
    mask_headers,
    mask_json,
    mask_text,
    mask_url,
)

from ..factories import SAMPLES

KEYS = MaskedKeys(DEFAULT_MASKED_KEYS)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
NAMES = st.text() | st.sampled_from(["password", "data", "access_token", "name"])
DOCUMENTS = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner), max_leaves=20)


@pytest.mark.parametrize(
    "key",
    [
        "password",
        "Password",
        "PASSWORD_HASH",
        "userPassword",
        "accessToken",
        "access_token",
        "X-Access-Token",
        "clientSecret",
        "Authorization",
        "api_key",
        "X-Api-Key",
        "privateKey",
        "set-cookie",
        "credentials",
        "contraseña",
        "contrasena",
        "contrasen\u0303a",
        "ＰＡＳＳＷＯＲＤ",
        "db_pwd",
        "/profile/password",
        "/data/tokens/0/name",
        "/pass~1word",
    ],
)
def test_keys_that_look_secret_match_in_any_spelling(key):
    assert KEYS.matches(key)


@pytest.mark.parametrize(
    "key", ["key", "code", "author", "authorizedBy", "name", "email", "phone", "status", "pass", "companyId", "_id", ""]
)
def test_ordinary_keys_do_not(key):
    assert not KEYS.matches(key)


@pytest.mark.parametrize(
    "key",
    [
        *("userPassword", "userpassword", "passwordHash", "passwordhash", "passwords", "password1"),
        *("PassWord", "APIKey", "x-api-key", "secretKey", "clientsecret", "accesstoken", "tokenValue"),
        *("idJwt", "cookie2", "contraseñas", "hash_password", "hasher_secret"),
    ],
)
def test_a_secret_word_matches_at_any_word_boundary_of_the_key(key):
    assert KEYS.matches(key)
    assert mask_json(f'{{"{key}":"hunter2"}}', KEYS) == f'{{"{key}":"{MASK}"}}'


@pytest.mark.parametrize(
    "key",
    [
        *("secretaria", "Secretario", "nombreSecretaria", "secretary_id", "tokenized", "passwordless"),
        *("credentialing", "needPasswordChange", "need_password_change", "mustChangePassword", "hasToken"),
        *("is-secret", "requiresPassword"),
    ],
)
def test_words_that_only_begin_like_a_secret_do_not_match(key):
    assert not KEYS.matches(key)
    assert not KEYS.matches_pointer(f"/data/{key}")
    assert mask_json(f'{{"{key}":"shown"}}', KEYS) == f'{{"{key}":"shown"}}'


@pytest.mark.parametrize("pointer", ["/profile/password", "/data/tokens/0/name", "/pass~1word", "/api/key"])
def test_a_pointer_in_a_diff_matches_like_any_key(pointer):
    assert KEYS.matches_pointer(pointer)
    assert not KEYS.matches_pointer("/name/names")
    assert mask_json(f'{{"{pointer}":{{"previous":1}}}}', KEYS) == f'{{"{pointer}":"{MASK}"}}'


@pytest.mark.parametrize(
    ("pointer", "is_under"),
    [
        ("", False),
        ("/data/name", False),
        ("/data/token", True),
        ("/data/token/deep/0", True),
        ("/diff/~1a~1password/previous", True),
        ("/data/api/key", False),
    ],
)
def test_a_place_under_a_masked_key_is_masked(pointer, is_under):
    assert is_under_masked_key(pointer, KEYS) is is_under


def test_the_setting_adds_keys(settings):
    from logs.payloads.masking import masked_keys

    assert not masked_keys().matches("email")
    settings.MASKED_KEYS = ["email", "phone"]
    assert masked_keys().matches("workEmail")
    assert masked_keys().matches("password")


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ('{"password":"x"}', f'{{"password":"{MASK}"}}'),
        ('{ "password" :\n "x" , "n": 1.10 }', f'{{ "password" :\n "{MASK}" , "n": 1.10 }}'),
        ('{"token":{"a":[1,{"b":"x"}]},"c":2}', f'{{"token":"{MASK}","c":2}}'),
        ('{"token":[1,2],"c":[3]}', f'{{"token":"{MASK}","c":[3]}}'),
        ('{"secret":12,"b":true}', f'{{"secret":"{MASK}","b":true}}'),
        ('{"a":[{"b":{"password":false}}]}', f'{{"a":[{{"b":{{"password":"{MASK}"}}}}]}}'),
        ('{"pass\\u0077ord":"x"}', f'{{"pass\\u0077ord":"{MASK}"}}'),
        ('{"a":"\\"password\\":\\"x\\""}', '{"a":"\\"password\\":\\"x\\""}'),
        ('{"body":"{\\"password\\":\\"x\\",\\"n\\":1}"}', f'{{"body":"{{\\"password\\":\\"{MASK}\\",\\"n\\":1}}"}}'),
        ('{"b":"{\\u0022password\\u0022:\\u0022x\\u0022}"}', f'{{"b":"{{\\"password\\":\\"{MASK}\\"}}"}}'),
        ('{"b":"\\n{\\"token\\":1}"}', f'{{"b":"\\n{{\\"token\\":\\"{MASK}\\"}}"}}'),
        ('{"b":"{\\"n\\":1.10}"}', '{"b":"{\\"n\\":1.10}"}'),
        ('"{\\"token\\":1}"', f'"{{\\"token\\":\\"{MASK}\\"}}"'),
        ('{"diff":{"/data/password":{"previous":"x","changedTo":"y"}}}', f'{{"diff":{{"/data/password":"{MASK}"}}}}'),
        ('{"password":null,"token":""}', '{"password":null,"token":""}'),
        ('["password","x"]', '["password","x"]'),
        ('{"name":"password"}', '{"name":"password"}'),
        ('{"credentials":{"user":"x","pin":"4711"', f'{{"credentials":"{MASK}"'),
    ],
)
def test_values_under_masked_keys_are_replaced_and_the_rest_stays_exactly(text, masked):
    assert mask_json(text, KEYS) == masked


def test_only_the_password_of_the_published_user_is_masked():
    text = (SAMPLES / "event_user_edit.json").read_text()
    assert mask_json(text, KEYS) == text.replace("XW1879594653754399642348==", MASK)


@given(DOCUMENTS, st.sampled_from([None, 2]))
def test_a_masked_document_differs_only_in_masked_values(document, indent):
    text = json.dumps(document, indent=indent)
    if "password" not in text and "token" not in text:
        assert mask_json(text, MaskedKeys(["password", "token"])) == text

    def expected(value):
        if isinstance(value, dict):
            return {key: hidden(item) if is_secret(key) else expected(item) for key, item in value.items()}
        return [expected(item) for item in value] if isinstance(value, list) else value

    def is_secret(key):
        return "password" in key.lower() or "token" in key.lower().replace("_", "")

    def hidden(value):
        return value if value in (None, "") and not isinstance(value, bool) else MASK

    assert json.loads(mask_json(text, MaskedKeys(["password", "token"]))) == expected(document)


@given(st.recursive(st.just("MARKER"), lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner), max_leaves=20))
def test_no_secret_is_left_at_any_depth_or_encoding(document):
    secret = {"password": document, "data": json.dumps({"access_token": json.dumps({"any": document})})}
    assert "MARKER" not in mask_json(json.dumps(secret), KEYS)
    assert "MARKER" not in mask_json(json.dumps({"data": json.dumps(secret)}), KEYS)


@given(
    st.recursive(st.just("MARKER"), lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner), max_leaves=8),
    st.sampled_from([None, 2]),
    st.booleans(),
)
def test_no_secret_is_left_in_a_truncated_response(document, indent, is_encoded):
    text = json.dumps({"n": 1, "note": 'a "quoted" word', "password": document, "name": "x"}, indent=indent)
    text = json.dumps({"body": text}) if is_encoded else text
    assert not [end for end in range(len(text)) if "MARK" in mask_text(text[:end], KEYS)]


def test_a_document_nested_to_the_limit_is_masked():
    text = '{"a":' * 99 + '{"token":[1]}' + "}" * 99
    assert mask_json(text, KEYS) == text.replace("[1]", f'"{MASK}"')


@pytest.mark.parametrize(
    "opening", ['{"a":"' + '{\\"' * 3000, '{"a":"' + '[\\"' * 3000, "[" * 20_000, '{"a":' * 20_000]
)
def test_a_hostile_response_does_not_break_the_masking(opening):
    assert mask_text(opening, KEYS) == opening


@pytest.mark.parametrize(
    "text", ["a" * 1_000_000, "a=" * 250_000, "\\" * 1_000_000, "token=" * 50_000, " " * 1_000_000]
)
def test_a_long_response_is_masked_to_its_end(text):
    """How long it takes is measured by `benchmarks.pages`."""
    assert mask_text(f"{text} token=secret", KEYS).endswith(f" token={MASK}")


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("", ""),
        ("Internal Server Error", "Internal Server Error"),
        ('{"error":"dup","token":"abc"}', f'{{"error":"dup","token":"{MASK}"}}'),
        ('{"error":"dup","token":"abc def', f'{{"error":"dup","token":"{MASK}"'),
        ("user=a&password=b&x=1", f"user=a&password={MASK}&x=1"),
        ("api_key: abc123, code: 5", f"api_key: {MASK}, code: 5"),
        ("password='a b' next", f"password='{MASK}' next"),
        ("Authorization: Bearer abc.def-123", f"Authorization: Bearer {MASK}"),
        ("got Basic dXNlcjpwYXNz here", f"got Basic {MASK} here"),
        ("error: password=abc", f"error: password={MASK}"),
        ("see https://x.example/?token=abc&y=1", f"see https://x.example/?token={MASK}&y=1"),
        ("user%5Bpassword%5D=abc&user[password]=abc", f"user%5Bpassword%5D={MASK}&user[password]={MASK}"),
        ("api%5Fkey=abc&x=1", f"api%5Fkey={MASK}&x=1"),
        ("password=a,b}c next", f"password={MASK} next"),
        ("Authorization: Token abc def\nHost: x", f"Authorization: {MASK}\nHost: x"),
        ("Set-Cookie: a=1; session=abc", f"Set-Cookie: {MASK}"),
        ('Error 400: {"token": {"a": ["abc"]}, "n": 1}', f'Error 400: {{"token": {MASK}, "n": 1}}'),
        ('{"a":1,"body":"{\\"password\\":\\"abc', f'{{"a":1,"body":"{{\\"password\\":\\"{MASK}\\"'),
        ('{"message":"bad Bearer abc.def-123"}', f'{{"message":"bad Bearer {MASK}"}}'),
        ('"token=abc"', f'"token={MASK}"'),
        ('oops {"password": null, "token": ""}', 'oops {"password": null, "token": ""}'),
        ("the password was wrong", "the password was wrong"),
    ],
)
def test_secrets_in_a_response_are_found(text, masked):
    assert mask_text(text, KEYS) == masked


def test_headers_that_carry_secrets_are_masked():
    headers = [["Content-Type", "text/html"], ["Set-Cookie", "id=1"], ["X-Api-Key", "k"], ["X-Note", "token=abc"]]
    assert mask_headers(headers, KEYS) == [
        ("Content-Type", "text/html"),
        ("Set-Cookie", MASK),
        ("X-Api-Key", MASK),
        ("X-Note", f"token={MASK}"),
    ]


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("https://a.example/x?y=1", "https://a.example/x?y=1"),
        ("https://u:p@a.example:8/x", f"https://u:{MASK}@a.example:8/x"),
        ("https://a.example/x?access%5Ftoken=abc&y=1#z", f"https://a.example/x?access%5Ftoken={MASK}&y=1#z"),
        ("https://a.example/x#access_token=abc", f"https://a.example/x#access_token={MASK}"),
        (f"https://cotadmin.example/in/{'aB-_' * 10}abc", f"https://cotadmin.example/in/{MASK}"),
        ("https://a.example/in/orders", "https://a.example/in/orders"),
        ("https://[broken/?token=abc", f"https://[broken/?token={MASK}"),
        ("", ""),
    ],
)
def test_secrets_in_a_url_are_masked(url, masked):
    assert mask_url(url, KEYS) == masked

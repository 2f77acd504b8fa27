from __future__ import annotations

import base64
import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from cryptography.fernet import Fernet
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from logs import signing

LOG_ID = "62742dd824c886d54e60f02b"
PAYLOAD = '{"type": "COTUser", "name": "Núñez 😀"}'.encode()


def test_the_example_of_the_specification_has_the_same_signature():
    """https://github.com/standard-webhooks/standard-webhooks: the vector that its libraries are tested with."""
    headers = signing.signature_headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        b'{"test": 2432232314}',
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        datetime.fromtimestamp(1614265330, UTC),
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=-4)), timezone(timedelta(hours=5, minutes=30))])
def test_a_receiver_can_verify_a_request_in_any_time_zone(zone):
    secret = signing.generate_secret()
    headers = signing.signature_headers(LOG_ID, PAYLOAD, [secret], datetime.now(zone))
    assert Webhook(secret).verify(PAYLOAD, headers) == {"type": "COTUser", "name": "Núñez 😀"}


def test_another_payload_does_not_verify():
    secret = signing.generate_secret()
    headers = signing.signature_headers(LOG_ID, PAYLOAD, [secret], datetime.now(UTC))
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(PAYLOAD + b" ", headers)


def test_a_receiver_can_verify_with_either_of_two_secrets():
    new, previous = signing.generate_secret(), signing.generate_secret()
    headers = signing.signature_headers(LOG_ID, PAYLOAD, [new, previous], datetime.now(UTC))
    signatures = headers["webhook-signature"].split(" ")
    assert len(signatures) == 2
    for secret, signature in zip([new, previous], signatures, strict=True):
        assert Webhook(secret).verify(PAYLOAD, headers)
        assert Webhook(secret).verify(PAYLOAD, headers | {"webhook-signature": signature})


def test_without_a_secret_there_is_no_signature():
    headers = signing.signature_headers(LOG_ID, PAYLOAD, [], datetime.fromtimestamp(1651781080.9, UTC))
    assert headers == {"webhook-id": LOG_ID, "webhook-timestamp": "1651781080"}


def test_new_secrets_are_valid_and_differ():
    secret, other = signing.generate_secret(), signing.generate_secret()
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", secret)
    signing.validate_secret(secret)
    assert secret != other


def secret_of(size: int) -> str:
    return "whsec_" + base64.b64encode(b"k" * size).decode()


@pytest.mark.parametrize("size", [24, 32, 64])
def test_secrets_of_24_to_64_bytes_are_valid(size):
    signing.validate_secret(secret_of(size))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "does not begin with whsec_"),
        (secret_of(32).removeprefix("whsec_"), "does not begin with whsec_"),
        ("whsec_", "not 24 to 64 bytes long"),
        (secret_of(23), "not 24 to 64 bytes long"),
        (secret_of(65), "not 24 to 64 bytes long"),
        ("whsec_not base64!", "not base64"),
        ("whsec_ñ", "not base64"),
        (secret_of(32) + "\n", "not base64"),
        (secret_of(32).rstrip("="), "not base64"),
    ],
)
def test_the_mistake_in_a_secret_is_named(text, reason):
    with pytest.raises(ValueError, match=f"^{reason}$"):
        signing.validate_secret(text)


def new_key() -> str:
    return Fernet.generate_key().decode()


def test_a_secret_is_encrypted_at_rest_and_decrypted_when_read():
    keys, secret = [new_key()], signing.generate_secret()
    token = signing.encrypt_secret(secret, keys)
    assert secret not in token
    assert signing.decrypt_secret(token, keys) == secret


def test_the_first_key_encrypts_and_former_keys_still_decrypt():
    former, current = new_key(), new_key()
    old_token = signing.encrypt_secret("whsec_old", [former])
    new_token = signing.encrypt_secret("whsec_new", [current, former])
    assert signing.decrypt_secret(old_token, [current, former]) == "whsec_old"
    assert signing.decrypt_secret(new_token, [current]) == "whsec_new"


@pytest.mark.parametrize("token", ["", "not a token", "ñ"])
def test_a_broken_token_is_unreadable(token):
    with pytest.raises(signing.SecretDecryptionError, match="cannot be read with the keys in FIELD_ENCRYPTION_KEYS"):
        signing.decrypt_secret(token, [new_key()])


def test_a_secret_whose_key_is_gone_is_unreadable():
    token = signing.encrypt_secret("whsec_old", [new_key()])
    with pytest.raises(signing.SecretDecryptionError, match="cannot be read with the keys in FIELD_ENCRYPTION_KEYS"):
        signing.decrypt_secret(token, [new_key()])

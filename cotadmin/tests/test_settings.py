"""Wrong settings stop the start and are named. Keys are generated only if that is safe."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
OWN_DATABASE = {"DATABASE_URL": "postgres://somebody@localhost/cotadmin"}
KEYS = {"SECRET_KEY": "x", "FIELD_ENCRYPTION_KEYS": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="}


def start(tmp_path: Path, show: str = "1", **environment: str) -> subprocess.CompletedProcess:
    clean = {
        name: value
        for name, value in os.environ.items()
        if name not in ("FORCE_HTTPS", "DATA_DIR", "DATABASE_URL", "AUTO_GENERATE_KEYS")
    }
    code = f"import django; django.setup(); from django.conf import settings; print({show})"
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT,
        env={**clean, "DJANGO_SETTINGS_MODULE": "cotadmin.settings", "DATA_DIR": str(tmp_path), **environment},
        capture_output=True,
        text=True,
    )


def test_a_trial_generates_its_keys_once_and_only_for_its_owner(tmp_path):
    first = start(tmp_path, "settings.SECRET_KEY, settings.FIELD_ENCRYPTION_KEYS")
    assert first.returncode == 0, first.stderr
    assert start(tmp_path, "settings.SECRET_KEY, settings.FIELD_ENCRYPTION_KEYS").stdout == first.stdout
    for name in ("secret_key", "secrets_key"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        (OWN_DATABASE, "SECRET_KEY is not set"),
        (OWN_DATABASE | {"SECRET_KEY": "x"}, "FIELD_ENCRYPTION_KEYS is not set"),
        (KEYS | {"DATABASE_URL": "mysql://somebody@localhost/cotadmin"}, "DATABASE_URL must begin with postgres://"),
        (KEYS | {"DEBUG": "perhaps"}, "DEBUG"),
        (KEYS | {"DELIVERY_TIMEOUT": "soon"}, "DELIVERY_TIMEOUT"),
        (KEYS | {"DELIVERY_MAX_ATTEMPTS": "2.5"}, "DELIVERY_MAX_ATTEMPTS=2.5 is not a whole number."),
        (KEYS | {"DELIVERY_ALLOWED_NETWORKS": "10.0.0.0/8,everything"}, "'everything' is not a network"),
        (KEYS | {"FIELD_ENCRYPTION_KEYS": "short"}, "FIELD_ENCRYPTION_KEYS"),
        (KEYS | {"TIME_ZONE": "Mars/Olympus"}, "TIME_ZONE"),
        (KEYS | {"LOG_FORMAT": "xml"}, "LOG_FORMAT='xml' must be one of json, text."),
        (KEYS | {"LOG_LEVEL": "info"}, "LOG_LEVEL='info' must be one of DEBUG, INFO, WARNING, ERROR."),
    ],
)
def test_a_wrong_setting_stops_the_start_with_its_name(tmp_path, environment, message):
    done = start(tmp_path, **environment)
    assert done.returncode != 0
    assert message in done.stderr.splitlines()[-1]
    assert not any(tmp_path.iterdir())


def test_a_configured_installation_uses_https_by_default(tmp_path):
    show = "settings.SESSION_COOKIE_SECURE, settings.CSRF_COOKIE_SECURE, settings.SECURE_SSL_REDIRECT, settings.DEBUG"
    assert start(tmp_path, show, **OWN_DATABASE, **KEYS).stdout.strip() == "True True True False"
    assert start(tmp_path, show, **OWN_DATABASE, **KEYS, FORCE_HTTPS="0").stdout.strip() == "False False False False"
    assert start(tmp_path, show).stdout.strip() == "False False False False"


def test_a_configured_installation_logs_json_by_default(tmp_path):
    show = "settings.LOG_FORMAT, settings.LOG_LEVEL"
    assert start(tmp_path, show, **OWN_DATABASE, **KEYS).stdout.strip() == "json INFO"
    assert (
        start(tmp_path, show, **OWN_DATABASE, **KEYS, LOG_FORMAT="text", LOG_LEVEL="DEBUG").stdout.strip()
        == "text DEBUG"
    )
    assert start(tmp_path, show).stdout.strip() == "text INFO"

"""Settings of the tests: the real ones, with their own server and keys, and a cheap password hash."""

import os
from pathlib import Path

os.environ.setdefault("DATA_DIR", str(Path(__file__).resolve().parent.parent / "var" / "test"))
os.environ.setdefault("FORCE_HTTPS", "0")
os.environ.setdefault("AUTO_GENERATE_KEYS", "1")  # even with a DATABASE_URL

from .settings import *

INSTALLED_APPS = ["cotadmin.tests", *INSTALLED_APPS]  # for its `flush` command

# Commits don't wait for the disk: none of these databases has to survive a crash of the machine.
OPTIONS["options"] += " -c synchronous_commit=off"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
DELIVERY_ALLOWED_NETWORKS = ["127.0.0.1/32"]
STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # WhiteNoise warns if it is missing
DELIVERY_RETRY_DELAY = 0.05  # seconds

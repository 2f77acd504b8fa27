"""cotadmin's settings, with the URLs of the plain admin."""

from cotadmin.settings import *  # noqa: F403

ROOT_URLCONF = "benchmarks.plain_admin.urls"

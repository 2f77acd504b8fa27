"""cotadmin's settings, with the plain admin at its addresses."""

from cotadmin.settings import *  # noqa: F403

ROOT_URLCONF = "benchmarks.plain_admin.urls"

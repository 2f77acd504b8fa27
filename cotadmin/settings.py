"""Settings, all from the environment; docs/configuration.md lists them. An invalid one stops the start, with its name."""

from pathlib import Path
from urllib.parse import unquote

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from . import __version__
from .env import boolean, choice, decimal, encryption_keys, env, time_zone, whole_number
from .generated_keys import load_or_create_key, new_encryption_key, new_secret_key
from .log_formatters import FORMATTERS, logging_settings

BASE_DIR = Path(__file__).resolve().parent.parent

VERSION = __version__
DATA_DIR = Path(env("DATA_DIR", default=str(BASE_DIR / "var")))
DEBUG = boolean("DEBUG", False)
DATABASE_URL = env("DATABASE_URL", default="")

# With its own database it's an installation for others to use: keys must be set, and cookies need HTTPS.
AUTO_GENERATE_KEYS = boolean("AUTO_GENERATE_KEYS", not DATABASE_URL)
FORCE_HTTPS = boolean("FORCE_HTTPS", bool(DATABASE_URL))
SECRET_KEY = env("SECRET_KEY", default="") or load_or_create_key(
    DATA_DIR / "secret_key", new_secret_key, variable="SECRET_KEY", may_make=AUTO_GENERATE_KEYS
)
FIELD_ENCRYPTION_KEYS = encryption_keys("FIELD_ENCRYPTION_KEYS") or [
    load_or_create_key(
        DATA_DIR / "secrets_key", new_encryption_key, variable="FIELD_ENCRYPTION_KEYS", may_make=AUTO_GENERATE_KEYS
    )
]

ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = FORCE_HTTPS
SECURE_SSL_REDIRECT = FORCE_HTTPS
SECURE_REDIRECT_EXEMPT = ["^(healthz|readyz|metrics)$"]  # probes call these from inside, bypassing the proxy
SECURE_HSTS_SECONDS = 31_536_000 if FORCE_HTTPS else 0
TRUST_PROXY_HEADERS = boolean("TRUST_PROXY_HEADERS", False)
PROXIES: int = whole_number("PROXIES", 1) if TRUST_PROXY_HEADERS else 0  # how many append to X-Forwarded-For
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUST_PROXY_HEADERS else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}

INSTALLED_APPS = [
    "logs",
    "cotadmin.apps.CotadminAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django_filters",
    "django_htmx",
    "template_partials",
    "csp",
    "procrastinate.contrib.django",
]
MIDDLEWARE = [
    "cotadmin.middleware.NoStoreMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.gzip.GZipMiddleware",  # adds random bytes, so that the length reveals no secrets
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "cotadmin.middleware.MalformedHeadersMiddleware",
    "django.middleware.common.CommonMiddleware",
    "cotadmin.uploads.UploadMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "cotadmin.middleware.LoginMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "cotadmin.middleware.TimezoneMiddleware",
    "cotadmin.middleware.VisibleBidiMiddleware",
    "cotadmin.middleware.NullByteMiddleware",
]
ROOT_URLCONF = "cotadmin.urls"
WSGI_APPLICATION = "cotadmin.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.i18n",
                "django.template.context_processors.tz",
                "cotadmin.context_processors.ui",
                "logs.context_processors.navigation",
            ],
        },
    },
    {  # for the rows of logs and the values of facets (docs/adr/0018-rows-of-logs.md)
        "BACKEND": "django.template.backends.jinja2.Jinja2",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {"trim_blocks": True, "lstrip_blocks": True},
    },
]

if DATABASE_URL:
    DATABASES = {"default": env.db_url_config(DATABASE_URL)}
    DATABASES["default"]["HOST"] = unquote(DATABASES["default"]["HOST"])  # a socket's folder is written %2Fvar%2Frun…
    if DATABASES["default"]["ENGINE"] != "django.db.backends.postgresql":
        raise ImproperlyConfigured("DATABASE_URL must begin with postgres:// – cotadmin needs PostgreSQL 14 or newer.")
else:
    DATABASES = {
        "default": {
            "ENGINE": "cotadmin.embedded_postgres",
            "NAME": "cotadmin",
            "MAIN_DATABASE": "cotadmin",  # tests change NAME
            "DATA_DIRECTORY": DATA_DIR / "postgres",
        }
    }
# Group a page's many small sums in memory instead of sorting them on disk. No query of a page is worth compiling.
OPTIONS = DATABASES["default"].setdefault("OPTIONS", {})
OPTIONS["options"] = f"-c work_mem=32MB -c jit=off -c random_page_cost=1.1 {OPTIONS.get('options', '')}".strip()
OPTIONS["pool"] = {
    "min_size": 0,
    "max_size": whole_number("DATABASE_POOL_SIZE", 10),
    "max_idle": 60,
}
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LOGIN_REDIRECT_URL = "logs:overview"
LOGOUT_REDIRECT_URL = "login"
LOGIN_URL = "login"
AUTHENTICATION_BACKENDS = ["logs.accounts.sign_in_throttle.SignInThrottle", "django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

LANGUAGE_CODE = env("LANGUAGE_CODE", default="en")
LANGUAGES = [("en", _("English")), ("es", _("Spanish"))]
LANGUAGE_COOKIE_AGE = 31_536_000
LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_SECURE = FORCE_HTTPS
LOCALE_PATHS = [BASE_DIR / "locale"]
FORMAT_MODULE_PATH = ["cotadmin.formats"]
TIME_ZONE = time_zone("TIME_ZONE", "UTC")
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STORAGES = {
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "cotadmin.staticfiles.ModuleStorage"
    },
}
STATICFILES_FINDERS = ["cotadmin.staticfiles.StylesheetFinder", "cotadmin.staticfiles.UsedAppsFinder"]
STYLESHEETS = {"logs/cotadmin.css": "logs/css/main.css"}  # a file that is served: the source that imports its parts
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 4 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 10_000  # each selected row of the explorer is one

MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

# cotadmin's own settings
# Seconds for the headers of a request, and for every 64 KiB to and from a client.
CLIENT_TIMEOUT = decimal("CLIENT_TIMEOUT", 10)
DELIVERY_ALLOWED_NETWORKS = env.list("DELIVERY_ALLOWED_NETWORKS", default=[])
DELIVERY_TIMEOUT = decimal("DELIVERY_TIMEOUT", 20)  # seconds from the DNS lookup to the last byte
DELIVERY_CONNECT_TIMEOUT = decimal("DELIVERY_CONNECT_TIMEOUT", 5)
DELIVERY_MAX_ATTEMPTS = whole_number("DELIVERY_MAX_ATTEMPTS", 3)
DELIVERY_RETRY_DELAY = decimal("DELIVERY_RETRY_DELAY", 30)
# Seconds until another worker takes over the queues of a killed one.
DELIVERY_LEASE_SECONDS = decimal("DELIVERY_LEASE_SECONDS", 15)
# Maximum seconds that a stopping worker waits for requests in flight.
DELIVERY_DRAIN = decimal("DELIVERY_DRAIN", 125)
DELIVERY_CONCURRENCY = whole_number("DELIVERY_CONCURRENCY", 500)  # simultaneous requests of one worker
DELIVERY_MEMORY = int(decimal("DELIVERY_MEMORY", 64) * 1024 * 1024)  # for payloads in one worker; the setting is in MiB
JOB_LEASE = decimal("JOB_LEASE", 30)  # seconds until another worker takes over the background jobs of a killed one
MASKED_KEYS = env.list("MASKED_KEYS", default=[])  # in addition to the built-in list
MAX_UPLOAD_BYTES = int(decimal("MAX_UPLOAD_MIB", 512) * 1024 * 1024)
# Of an uploaded file, uncompressed; the setting is in MiB.
IMPORT_LIMIT = int(decimal("IMPORT_LIMIT", 4096) * 1024 * 1024)
METRICS_TOKEN = env("METRICS_TOKEN", default="")
DEMO_RECEIVER_URL = env("DEMO_RECEIVER_URL", default="")

# Machines read the logs of an installation; people read those of a trial.
LOG_FORMAT = choice("LOG_FORMAT", "json" if DATABASE_URL else "text", tuple(FORMATTERS))
LOG_LEVEL = choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR"))
LOGGING = logging_settings(LOG_FORMAT, LOG_LEVEL)

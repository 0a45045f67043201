"""All settings of the site, each read from the environment once (docs/settings.md lists every variable).

With nothing in the environment the server runs on SQLite and an in-memory channel layer, everything kept
under DATA_DIR.
"""

import hashlib
from pathlib import Path

from csp.constants import NONE, SELF

from sessionsite import __version__
from sessionsite.env import (
    database_from_url,
    env_bool,
    env_float,
    env_int,
    env_list,
    env_path,
    env_secret,
    env_str,
    stored_secret,
)

BASE_DIR = Path(__file__).resolve().parent.parent
MIB = 1024 * 1024

# -- where things are kept -----------------------------------------------------------------------------------
DATA_DIR = env_path("DATA_DIR", BASE_DIR / "var")
DATA_DIR.mkdir(mode=0o750, parents=True, exist_ok=True)
MEDIA_ROOT = DATA_DIR / "media"
# Bodies are spooled on the disk that will keep them, not in a small /tmp.
FILE_UPLOAD_TEMP_DIR = DATA_DIR / "tmp"
FILE_UPLOAD_TEMP_DIR.mkdir(mode=0o750, exist_ok=True)

DEBUG = env_bool("DEBUG", False)
SECRET_KEY = env_secret("SECRET_KEY") or stored_secret(DATA_DIR / "secret_key")
DURABILITY = env_str("DURABILITY", "power", choices=("power", "process"))

# -- limits and behaviour of the product ---------------------------------------------------------------------
MAX_IMAGE_BYTES = env_int("MAX_IMAGE_BYTES", 20 * MIB, minimum=1024)
MAX_BODY_BYTES = env_int("MAX_BODY_BYTES", 28 * MIB, minimum=2048)
MAX_IMAGE_PIXELS = env_int("MAX_IMAGE_PIXELS", 50_000_000, minimum=1)
# Requests of one token in a minute, by kind; 0: not counted.
RATE_LIMIT_PER_MIN = env_int("RATE_LIMIT_PER_MIN", 1000, minimum=0)
RATE_LIMIT_EXPORTS_PER_MIN = env_int("RATE_LIMIT_EXPORTS_PER_MIN", 10, minimum=0)
RATE_LIMIT_INGEST_PER_MIN = env_int("RATE_LIMIT_INGEST_PER_MIN", 0, minimum=0)
DISK_RESERVE_BYTES = env_int("DISK_RESERVE_BYTES", 1024 * MIB, minimum=0)
SESSION_IDLE_TTL_S = env_int("SESSION_IDLE_TTL_S", 90, minimum=1)
FRAME_MIN_CONFIDENCE = env_float("FRAME_MIN_CONFIDENCE", 0.5, minimum=0.0, maximum=1.0)
AUDIO_CLASSIFIER = env_str("AUDIO_CLASSIFIER", "tone")
# None: a session that nothing is written to stays open for ever.
SESSION_STALE_AFTER_S = env_int("SESSION_STALE_AFTER_S", 12 * 3600, minimum=0) or None
# None: pictures stay for ever, and what was deleted can always be restored.
RETENTION_DAYS = env_int("RETENTION_DAYS", 0, minimum=0) or None
DELETED_DAYS = env_int("DELETED_DAYS", 30, minimum=0) or None
JOB_KEEP_HOURS = env_int("JOB_KEEP_HOURS", 24, minimum=1)
IMPORT_MAX_BYTES = env_int("IMPORT_MAX_BYTES", 4 * 1024**3, minimum=1024)
NATIVE = env_bool("NATIVE", True)
HANDLER_THREADS = env_int("HANDLER_THREADS", 8, minimum=1, maximum=256)
BACKGROUND_LOOPS = env_bool("BACKGROUND_LOOPS", True)
MEDIA_ACCEL_PREFIX = env_str("MEDIA_ACCEL_PREFIX")
METRICS_TOKEN = env_secret("METRICS_TOKEN")
NINA_PUBLIC = env_str("NINA_PUBLIC")
NINA_CORS_ORIGINS = env_list("NINA_CORS_ORIGINS")

# -- hosts, proxies and TLS ----------------------------------------------------------------------------------
TLS = env_bool("TLS", False)
TRUST_PROXY = env_bool("TRUST_PROXY", False)
_hosts = env_list("ALLOWED_HOSTS")
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", *_hosts]
# Without a list, `serve` adds the names of the address it listens on.
HOSTS_FOLLOW_ADDRESS = not _hosts
CSRF_TRUSTED_ORIGINS = env_list("CSRF_TRUSTED_ORIGINS")
if TRUST_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = TLS
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SECURE_HSTS_SECONDS = env_int("HSTS_SECONDS", 365 * 24 * 3600, minimum=0) if TLS else 0
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin" if TLS else None  # browsers ignore it on plain http
X_FRAME_OPTIONS = "DENY"
# W005, W021: HSTS for subdomains and the preload list are decisions about the whole domain, made elsewhere.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

# Browsers send a cookie to every port of a host: a name per secret key lets two servers share one machine.
SESSION_COOKIE_NAME = f"sessionid_{hashlib.sha256(SECRET_KEY.encode()).hexdigest()[:8]}"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = TLS
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"

# -- applications --------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "sessionsite.daphne_app.FastDaphneConfig",  # first: it replaces `runserver`
    "channels",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "csp",
    "sessionsite",
    "sessionsite.accounts",
    "devices",
    "sessions_app",
    "monitoring",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "sessionsite.middleware.refuse_nul",  # last: its pages are shown like any other
]
ROOT_URLCONF = "sessionsite.urls"
ASGI_APPLICATION = "sessionsite.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "sessionsite" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

# -- database and channel layer ------------------------------------------------------------------------------
DATABASE_URL = env_secret("DATABASE_URL")
DATABASE_POOL_SIZE = env_int("DATABASE_POOL_SIZE", HANDLER_THREADS + 8, minimum=2)
if DATABASE_URL:
    _found = database_from_url(DATABASE_URL)
    _commit = "on" if DURABILITY == "power" else "off"
    DATABASES = {
        "default": _found
        | {
            "CONN_MAX_AGE": 0,  # the pool keeps the connections
            "CONN_HEALTH_CHECKS": True,
            "OPTIONS": {
                "options": f"-c synchronous_commit={_commit}",
                "connect_timeout": 5,
                # A connection that cannot be made is given up soon: the pool's growing pauses between its own
                # tries would outlast a restart of PostgreSQL, while the next request tries at once.
                "pool": {
                    "min_size": 1,
                    "max_size": DATABASE_POOL_SIZE,
                    "timeout": 1.5,
                    "reconnect_timeout": 1,
                },
            }
            | _found.get("OPTIONS", {}),
        }
    }
else:
    _pragmas = {
        "journal_mode": "WAL",
        "synchronous": "FULL" if DURABILITY == "power" else "NORMAL",
        "foreign_keys": "ON",
        "cache_size": "-8000",  # 8 MB per connection, and each thread has one
        "temp_store": "MEMORY",
        "journal_size_limit": str(64 * MIB),
    }
    DATABASES = {
        "default": {
            "ENGINE": "sessionsite.common.sqlite",
            "NAME": DATA_DIR / "db.sqlite3",
            "CONN_MAX_AGE": None,
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 30,
                "init_command": "".join(f"PRAGMA {name}={value};" for name, value in _pragmas.items()),
            },
            # A real file: the shared-memory database of the default cannot be used from several threads.
            "TEST": {"NAME": DATA_DIR / "test.sqlite3"},
        }
    }

REDIS_URL = env_secret("REDIS_URL")
CHANNEL_PREFIX = env_str("CHANNEL_PREFIX", "sessionsite")
if REDIS_URL:
    # Named timeouts: a library default of 5 s would close every idle socket.
    _redis = {"address": REDIS_URL, "socket_timeout": 20, "socket_connect_timeout": 3}
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [_redis], "prefix": CHANNEL_PREFIX},
        }
    }
else:
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}

# -- people --------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/login/"

# -- language and time ---------------------------------------------------------------------------------------
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True
FORMAT_MODULE_PATH = "sessionsite.formats"

# -- static files, bodies and content policy -----------------------------------------------------------------
STATIC_URL = "/static/"
# Served from the source folders: nothing has to be collected before the first start.
WHITENOISE_USE_FINDERS = True
WHITENOISE_MAX_AGE = 0 if DEBUG else 60
# Base64 in JSON is 4/3 of the picture; Django's own 2.5 MiB would refuse an ordinary camera.
DATA_UPLOAD_MAX_MEMORY_SIZE = MAX_BODY_BYTES
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:", "blob:"],
        "connect-src": [SELF],
        "font-src": [SELF],
        "worker-src": [SELF],
        "manifest-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

# -- REST ----------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "sessionsite.accounts.authentication.TokenAuthentication",
        "sessionsite.accounts.authentication.CookieAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["sessionsite.common.api.permissions.IsCaller"],
    "DEFAULT_THROTTLE_CLASSES": ["sessionsite.accounts.throttling.RateLimit"],
    "DEFAULT_PAGINATION_CLASS": "sessionsite.common.api.pagination.KeysetPagination",
    "DEFAULT_FILTER_BACKENDS": ["sessionsite.common.api.filters.StrictFilterBackend"],
    "DEFAULT_PARSER_CLASSES": ["sessionsite.common.api.parsers.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_RENDERER_CLASSES": ["sessionsite.common.api.renderers.StrictJSONRenderer"],
    "DEFAULT_METADATA_CLASS": None,  # OPTIONS is answered 405
    "URL_FORMAT_OVERRIDE": None,  # `?format=` belongs to the views
    "EXCEPTION_HANDLER": "sessionsite.common.api.errors.exception_handler",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Session server",
    "VERSION": __version__,
    "DESCRIPTION": "Start, watch and close sessions; pictures, tags, datasets, tokens.",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "ENFORCE_NON_BLANK_FIELDS": True,
    "ENUM_NAME_OVERRIDES": {
        "MonitorKind": "monitoring.api.serializers.KINDS",
        "SessionKind": "sessions_app.states.Kind",
        "SessionState": "sessions_app.states.State",
        "Role": "sessionsite.common.access.ROLES",
        "Right": "sessionsite.common.access.RIGHTS",
    },
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "PREPROCESSING_HOOKS": ["sessionsite.common.api.schema.only_ours"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "sessionsite.common.api.schema.with_errors",
    ],
}

# -- logging -------------------------------------------------------------------------------------------------
LOG_LEVEL = env_str("LOG_LEVEL", "INFO", choices=("DEBUG", "INFO", "WARNING", "ERROR"))
LOG_FORMAT = env_str("LOG_FORMAT", "text", choices=("text", "json"))
ACCESS_LOG = env_bool("ACCESS_LOG", False)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"scrub": {"()": "sessionsite.logs.ScrubSecrets"}},
    "formatters": {
        "text": {"()": "sessionsite.logs.TextFormatter"},
        "json": {"()": "sessionsite.logs.JsonFormatter"},
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT, "filters": ["scrub"]}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        # Django adds a handler of its own; ours is at the root.
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        "django.server": {"handlers": [], "level": "INFO", "propagate": True},
        "django.request": {"level": "ERROR"},  # a refusal is an answer, not an event
        "uvicorn": {"level": "WARNING"},
        "uvicorn.access": {"level": "INFO" if ACCESS_LOG else "WARNING"},
        "daphne": {"level": "WARNING"},
        "daphne.access": {"level": "INFO" if ACCESS_LOG else "WARNING"},
        "httpx": {"level": "WARNING"},
        "twisted": {"level": "WARNING"},
    },
}

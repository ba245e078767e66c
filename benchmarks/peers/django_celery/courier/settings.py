"""Django's and Celery's settings; what is tuned here, and why, stands in README.md."""

import os
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[4]
TEMPLATE_FOLDER = CHECKOUT / "templates"
CATALOG_FOLDER = CHECKOUT / "translations"

SECRET_KEY = os.environ.get("COURIER_SECRET", "only signs what a benchmark throws away")
DEBUG = False
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "courier.urls"
INSTALLED_APPS = ["courier"]
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
USE_TZ = True
USE_I18N = False
"""Django's own translation machinery; ours is in courier.rendering."""
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LOGGING_CONFIG = None

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": os.environ.get("COURIER_DATABASE_HOST", ""),
        "NAME": os.environ.get("COURIER_DATABASE_NAME", "courier"),
        "USER": os.environ.get("COURIER_DATABASE_USER", "postgres"),
        "CONN_MAX_AGE": None,
        "OPTIONS": {"server_side_binding": True, "prepare_threshold": 2},
    }
}

EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
EMAIL_HOST = "127.0.0.1"
EMAIL_PORT = int(os.environ.get("COURIER_SMTP_PORT", "25"))
DEFAULT_FROM_EMAIL = "Heliograph <hello@localhost.localdomain>"

CELERY_BROKER_URL = os.environ.get("COURIER_BROKER_URL", "redis://127.0.0.1:6379/0")
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_POOL_LIMIT = 16
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_STORE_EAGER_RESULT = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 64
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False

QUIET_HOURS = {"marketing": ("21:00", "09:00")}
"""For each category the local time at which no message may start, and the one from which it may again."""

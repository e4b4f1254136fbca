"""Settings; what differs from place to place comes from the environment.

DATABASE_URL        the database, for a login that is a member of chainfirst_app (see ../roles.sql)
DJANGO_SECRET_KEY   signs sessions; left out: a new one at each start, which logs everybody out
DJANGO_DEBUG        1: Django's pages of errors, for development alone
DJANGO_HOSTS        names that the site is reached under, with commas
"""

import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from django.core.management.utils import get_random_secret_key
from psycopg.conninfo import conninfo_to_dict

BASE_DIR = Path(__file__).resolve().parent.parent

SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY") or get_random_secret_key()
DEBUG = os.environ.get("DJANGO_DEBUG") == "1"
ALLOWED_HOSTS = os.environ.get("DJANGO_HOSTS", "127.0.0.1,localhost").split(",")

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "records",
    "api",
    "website",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
ROOT_URLCONF = "website.urls"
STATIC_URL = "static/"
LANGUAGE_CODE = "en"
TIME_ZONE = "Africa/Addis_Ababa"
USE_TZ = True
USE_THOUSAND_SEPARATOR = True


def _database(url: str) -> dict[str, object]:
    """A libpq URL as Django wants it. Django's own tables are in the schema `django`; records and views are
    always named with theirs."""
    if not url:
        raise ImproperlyConfigured("DATABASE_URL is not set: give a login that is a member of chainfirst_app")
    parts = conninfo_to_dict(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.get("dbname", ""),
        "USER": parts.get("user", ""),
        "PASSWORD": parts.get("password", ""),
        "HOST": parts.get("host", ""),
        "PORT": parts.get("port", ""),
        "OPTIONS": {"options": "-c search_path=django"},
    }


DATABASES = {"default": _database(os.environ.get("DATABASE_URL", ""))}
TEST_RUNNER = "website.testing.OnExistingDatabase"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

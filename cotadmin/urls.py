"""The addresses of the site."""

from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LogoutView
from django.urls import include, path
from django.views.i18n import set_language

from logs.views import probes

from . import errors
from .login import PasswordChange, SignIn
from .preferences_page import preferences

handler400, handler403, handler404 = errors.bad_request, errors.permission_denied, errors.page_not_found
handler500 = errors.server_error
urlpatterns = [
    path("healthz", probes.healthz, name="healthz"),
    path("readyz", probes.readyz, name="readyz"),
    path("metrics", probes.metrics, name="metrics"),
    path("sign-in/", SignIn.as_view(), name="login"),
    path("password/", PasswordChange.as_view(), name="password_change"),
    path("sign-out/", LogoutView.as_view(), name="logout"),
    path("language/", login_not_required(set_language), name="set_language"),
    path("preferences/", preferences, name="preferences"),
    path("admin/", admin.site.urls),
    path("", include("logs.urls")),
]

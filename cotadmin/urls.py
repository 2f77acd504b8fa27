"""The URLs of the project."""

from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.urls import include, path
from django.views.i18n import set_language

from . import errors
from .preferences_views import preferences

handler400, handler403, handler404 = errors.bad_request, errors.permission_denied, errors.page_not_found
handler500 = errors.server_error
urlpatterns = [
    path("", include("logs.accounts.urls")),
    path("language/", login_not_required(set_language), name="set_language"),
    path("preferences/", preferences, name="preferences"),
    path("admin/", admin.site.urls),
    path("", include("logs.urls")),
]

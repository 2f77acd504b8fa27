"""A separate admin site, so that cotadmin's admin doesn't interfere."""

from django.contrib.admin import AdminSite, ModelAdmin
from django.urls import path

from logs.models import WebhookLog


class PlainLogs(ModelAdmin):
    list_display = (
        "state",
        "created_at",
        "event_type",
        "action",
        "object_name",
        "subscription",
        "status",
        "cause",
        "response",
        "attempt_count",
    )
    list_filter = ("state", "cause", "status", "event_type", "action", "subscription", "created_at")
    search_fields = ("id", "object_name", "response")
    list_per_page = 50


site = AdminSite(name="plain")
site.register(WebhookLog, PlainLogs)
urlpatterns = [path("plain/", site.urls)]

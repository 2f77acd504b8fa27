"""The admin site: lets staff look at all stored data, however much there is."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from . import bulk_redeliveries, companies, credentials, read_only, subscriptions, webhook_logs

__all__ = ["bulk_redeliveries", "companies", "credentials", "read_only", "subscriptions", "webhook_logs"]

admin.site.site_header = admin.site.site_title = _("cotadmin administration")
admin.site.index_title = _("Overview")

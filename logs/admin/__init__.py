"""The admin site: a look at everything that is stored, for staff, however much that is."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from . import bulk_redeliveries, companies, credentials, read_only, subscriptions, webhook_logs

__all__ = ["bulk_redeliveries", "companies", "credentials", "read_only", "subscriptions", "webhook_logs"]

admin.site.site_header = admin.site.site_title = _("cotadmin administration")
admin.site.index_title = _("Overview")

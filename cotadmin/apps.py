"""Sets the admin site that serves /admin/."""

from django.contrib.admin.apps import AdminConfig


class CotadminAdminConfig(AdminConfig):
    default_site = "cotadmin.admin_site.CotadminAdminSite"

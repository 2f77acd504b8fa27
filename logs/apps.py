from django.apps import AppConfig
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class LogsConfig(AppConfig):
    name = "logs"
    verbose_name = _("Webhook logs")

    def ready(self) -> None:
        """An invalid setting of the destination check stops the start, not the first delivery."""
        from .db import pooler_check  # noqa: F401  registers its check
        from .delivery.ssrf import DestinationFilter

        try:
            DestinationFilter.from_settings()
        except ValueError as error:
            raise ImproperlyConfigured(str(error)) from error
        post_migrate.connect(create_partitions, sender=self)


def create_partitions(**_signal: object) -> None:
    """Create the future payload partitions as soon as their table exists, so that the first event doesn't wait for them."""
    from .db.payload_partitions import PAYLOAD_TABLE, ensure_future_partitions

    if PAYLOAD_TABLE in connection.introspection.table_names():
        ensure_future_partitions()

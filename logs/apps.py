from django.apps import AppConfig
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _


class LogsConfig(AppConfig):
    name = "logs"
    verbose_name = _("Webhook logs")

    def ready(self) -> None:
        """A wrong setting of the guard stops the start, not the first delivery."""
        from .delivery.guard import Guard

        try:
            Guard.from_settings()
        except ValueError as error:
            raise ImproperlyConfigured(str(error)) from error

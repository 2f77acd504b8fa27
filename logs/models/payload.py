"""A log's event, byte for byte, and its search index. It is written once; the log's state changes often, so it is separate."""

from __future__ import annotations

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .fields import JSONTextField
from .querysets import PayloadQuerySet


class Payload(models.Model):
    """Partitioned by month of the log's id (see db/payload_partitions.py), so the database has no foreign key for it."""

    log = models.OneToOneField(
        "logs.WebhookLog",
        models.CASCADE,
        primary_key=True,
        db_constraint=False,
        related_name="payload",
        verbose_name=_("webhook log"),
    )
    event = JSONTextField(_("event"))
    search = SearchVectorField(_("search index"), editable=False)
    # More words of the largest events, beyond what PostgreSQL allows in one vector.
    search_2 = SearchVectorField(null=True, editable=False)
    search_3 = SearchVectorField(null=True, editable=False)
    search_4 = SearchVectorField(null=True, editable=False)

    objects = PayloadQuerySet.as_manager()

    class Meta:
        verbose_name = _("payload")
        verbose_name_plural = _("payloads")
        indexes = [
            GinIndex("search", name="payload_words"),
            GinIndex("search_2", name="payload_words_2", condition=Q(search_2__isnull=False)),
            GinIndex("search_3", name="payload_words_3", condition=Q(search_3__isnull=False)),
            GinIndex("search_4", name="payload_words_4", condition=Q(search_4__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.pk

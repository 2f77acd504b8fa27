"""The event of a log, byte for byte, and its search index: written once, apart from the log whose state changes often."""

from __future__ import annotations

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .fields import JSONTextField
from .querysets import PayloadQuerySet


class Payload(models.Model):
    """Partitioned by month of the log's id (see partitions.py), so it has no foreign key in the database."""

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
    # The words of the largest events, beyond what PostgreSQL takes in one vector
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

"""An import by upload: its file, its progress and the documents it rejected. Any worker machine can read the file's chunks."""

from __future__ import annotations

from collections.abc import Iterator

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from .choices import FINISHED_IMPORT_STATES, ImportState
from .querysets import ImportQuerySet


class ImportKind(models.TextChoices):
    LOGS = "logs", _("Webhook logs")
    SUBSCRIPTIONS = "subscriptions", _("Subscriptions")


class Import(models.Model):
    kind = models.CharField(_("kind"), max_length=20, choices=ImportKind)
    file_name = models.CharField(_("file"), max_length=255)
    size = models.BigIntegerField(_("size"))
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", verbose_name=_("uploaded by")
    )
    uploaded_at = models.DateTimeField(_("uploaded"), auto_now_add=True)
    state = models.CharField(_("state"), max_length=10, choices=ImportState, default=ImportState.WAITING)
    finished_at = models.DateTimeField(_("finished"), null=True)
    # Counts the workers that took it, one after another. Only the last one may store anything.
    epoch = models.IntegerField(default=0, db_default=0)
    # How many workers ended before they stored anything: a file may crash the process that reads it.
    failed_starts = models.IntegerField(default=0, db_default=0)
    bytes_read = models.BigIntegerField(default=0)
    # The transactions that store documents also update these counts. `read`: documents that needn't be read again.
    read = models.IntegerField(_("read"), default=0)
    new = models.IntegerField(_("new"), default=0)
    unchanged = models.IntegerField(_("unchanged"), default=0)
    updated = models.IntegerField(_("updated"), default=0)
    rejected = models.IntegerField(_("rejected"), default=0)
    company_differs = models.IntegerField(default=0)
    corrected = models.IntegerField(default=0)
    error = models.TextField(_("error"), blank=True)

    objects = ImportQuerySet.as_manager()

    class Meta:
        verbose_name = _("import")
        verbose_name_plural = _("imports")
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.file_name

    def get_absolute_url(self) -> str:
        return reverse("logs:import_detail", args=[self.pk])

    @property
    def is_finished(self) -> bool:
        return self.state in FINISHED_IMPORT_STATES

    @property
    def is_cancelled(self) -> bool:
        return self.state == ImportState.CANCELLED

    def chunks(self) -> Iterator[bytes]:
        """The file's bytes, chunk by chunk."""
        for number in range(self.file_chunks.count()):
            yield bytes(self.file_chunks.values_list("data", flat=True).get(number=number))


class ImportChunk(models.Model):
    """A chunk of an uploaded file; deleted when the import has finished."""

    upload = models.ForeignKey(Import, models.CASCADE, related_name="file_chunks", db_index=False)
    number = models.IntegerField()
    data = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["upload", "number"], name="import_chunk_number")]

    def __str__(self) -> str:
        return f"{self.upload_id}/{self.number}"


class RejectedDocument(models.Model):
    """A rejected document: its place in the file, the reason, and its text. See uploads.MAX_KEPT_REJECTIONS."""

    upload = models.ForeignKey(Import, models.CASCADE, related_name="rejected_documents", db_index=False)
    number = models.IntegerField(_("document"))
    line = models.IntegerField(_("line"))
    reason = models.TextField(_("reason"))
    data = models.BinaryField()
    is_cut = models.BooleanField(default=False, db_default=False)  # `data` has only its beginning

    class Meta:
        indexes = [models.Index("upload", "number", name="rejected_of_import")]
        ordering = ["number"]

    def __str__(self) -> str:
        return f"{self.upload_id}/{self.number}"

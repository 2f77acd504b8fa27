"""A named filter of the explorer, for oneself or shared with colleagues."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Lower
from django.http import QueryDict
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from .querysets import SavedViewQuerySet

MAX_NAME_LENGTH = 60
MAX_QUERY_LENGTH = 2000


class SavedView(models.Model):
    """`query`: the query string of the explorer's URL, as logs/logsearch/saved_views.py writes it."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="saved_views", verbose_name=_("owner")
    )
    name = models.CharField(_("name"), max_length=MAX_NAME_LENGTH)
    query = models.CharField(_("filter"), max_length=MAX_QUERY_LENGTH)
    is_shared = models.BooleanField(_("shared"), default=False)
    pinned_by = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="pinned_views", editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)

    objects = SavedViewQuerySet.as_manager()

    class Meta:
        verbose_name = _("saved view")
        verbose_name_plural = _("saved views")
        default_permissions = ()
        permissions = [("share_savedview", "Can share saved views")]
        ordering = [Lower("name"), "id"]
        constraints = [models.UniqueConstraint("owner", Lower("name"), name="saved_view_name")]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """The explorer with this filter."""
        return f"{reverse('logs:webhook_log_list')}?{self.query}"

    @property
    def filter_data(self) -> QueryDict:
        return QueryDict(self.query)

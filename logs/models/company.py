"""A company on Cotalker: it owns subscriptions, and its users may see them."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from .fields import ObjectIdField, is_objectid
from .querysets import CompanyQuerySet


class Company(models.Model):
    id = ObjectIdField(_("id"), primary_key=True, validators=[is_objectid])
    name = models.CharField(_("name"), max_length=200, blank=True)
    users = models.ManyToManyField(
        settings.AUTH_USER_MODEL,
        related_name="companies",
        blank=True,
        verbose_name=_("users"),
        help_text=_("These users see this company’s subscriptions and logs. Superusers see all companies."),
    )

    objects = CompanyQuerySet.as_manager()

    class Meta:
        verbose_name = _("company")
        verbose_name_plural = _("companies")
        ordering = ["name", "id"]
        constraints = [
            models.CheckConstraint(condition=models.Q(id__regex=r"^[0-9a-f]{24}$"), name="company_id_is_objectid")
        ]

    def __str__(self) -> str:
        return self.name or self.id

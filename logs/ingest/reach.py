"""Whose data an import may touch: nobody writes into a company that they do not belong to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from ..documents import BadDocument
from ..models import Company, Subscription

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class Reach:
    """The companies that `user` may write into; None and superusers may into all."""

    def __init__(self, user: User | None) -> None:
        self.companies: set[str] | None = None  # all
        if user is not None and not user.is_superuser:
            self.companies = set(Company.objects.visible_to(user).values_list("pk", flat=True))
        self._company_of: dict[str, str] = {}

    def check(self, company: str, path: str = "/company") -> None:
        """Raises BadDocument where the company is out of reach."""
        if self.companies is not None and company not in self.companies:
            raise BadDocument(_("you do not belong to its company"), path)

    def companies_of(self, subscriptions: Iterable[str]) -> dict[str, str]:
        """The company of each subscription that is stored, by id; asked for once in an import."""
        if unknown := set(subscriptions) - self._company_of.keys():
            self._company_of |= dict(Subscription.objects.filter(pk__in=unknown).values_list("pk", "company_id"))
        return self._company_of

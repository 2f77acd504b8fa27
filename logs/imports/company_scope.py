"""Which companies an import may write to: people can't write to a company that they don't belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from ..cotalker.documents import InvalidDocument
from ..models import Company

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class ImportScope:
    """The companies that `user` may write to. None (the command line) and superusers may write to all.

    `may_reveal`: messages may disclose masked values.
    """

    def __init__(self, user: User | None) -> None:
        self.user = user
        self.companies: set[str] | None = None  # all
        self.may_reveal = user is None or user.has_perm("logs.reveal_masked")
        if user is not None and not user.is_superuser:
            self.companies = set(Company.objects.visible_to(user).values_list("pk", flat=True))

    @property
    def is_all(self) -> bool:
        return self.companies is None

    def has(self, company: str) -> bool:
        return self.companies is None or company in self.companies

    def check(self, company: str, path: str = "/company") -> None:
        """Raises InvalidDocument if the user may not write to the company."""
        if not self.has(company):
            raise InvalidDocument(_("you do not belong to this company"), path)

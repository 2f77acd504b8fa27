"""The code of a subscription, made from its name where a person gives none."""

from __future__ import annotations

from itertools import count

from django.utils.text import slugify

from .models import Company, Subscription

LIMIT = 100


def suggested_code(name: str, company: Company) -> str:
    """The name in [a-z0-9_]+, with a number behind it where the company has that code already."""
    code = slugify(name).replace("-", "_").strip("_")[:LIMIT] or "subscription"
    stem = code[: LIMIT - 5]  # leaves room for the number
    taken = set(Subscription.objects.filter(company=company, code__startswith=stem).values_list("code", flat=True))
    numbered = (f"{stem}_{number}" for number in count(2))
    return code if code not in taken else next(candidate for candidate in numbered if candidate not in taken)

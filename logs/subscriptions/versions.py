"""The version of a subscription that a form was opened with, so that nobody overwrites somebody else's later changes.

Also draft ids, so that a form submitted twice creates one subscription.
"""

from __future__ import annotations

from typing import Any

from django.core.signing import BadSignature, Signer
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from ..cotalker import objectid
from ..models import Subscription

SECRET_FIELDS = {"secret_choice": "encrypted_secret", "headers": "encrypted_headers"}  # form field: stored column
_drafts = Signer(salt="logs.subscription.draft")


def draft_for(user) -> str:
    """The signed id of a new subscription, which only this person can create."""
    return _drafts.sign(f"{user.pk}.{objectid.new_objectid()}")


def draft_id(draft: str, user) -> str | None:
    """The draft's id; None if `draft_for` did not create it for this person."""
    try:
        owner, _dot, pk = _drafts.unsign(draft).partition(".")
    except BadSignature:
        return None
    return pk if owner == str(user.pk) else None


def version_of(subscription: Subscription, columns: list[str]) -> str:
    """A digest of each column and secret. It shows later whether the value has changed, and nothing else."""
    values = {name: getattr(subscription, name) for name in columns}
    values |= {name: getattr(subscription, stored) for name, stored in SECRET_FIELDS.items()}
    return " ".join(f"{name}:{version_digest(name, value)}" for name, value in values.items())


def version_digest(name: str, value: Any) -> str:
    return salted_hmac(f"logs.subscription.version.{name}", repr(value)).hexdigest()[:20]


def decode_version(text: str) -> dict[str, str]:
    """The digests, by name."""
    return dict(part.split(":", 1) for part in text.split() if ":" in part)


def display_value(subscription: Subscription, name: str) -> str:
    """The current value of a field, in words; for a secret, only that it changed."""
    if name in SECRET_FIELDS:
        return _("changed")
    value = getattr(subscription, name)
    if isinstance(value, bool) and name == "is_active":
        return _("yes") if value else _("no")
    label = getattr(subscription, f"get_{name}_display", None)
    return str(label() if label else value if value not in (None, "") else "–")

"""What a form of a subscription was opened with, so that nobody writes over what somebody else changed meanwhile, and so that a
form that is sent twice makes one subscription.
"""

from __future__ import annotations

from typing import Any

from django.core.signing import BadSignature, Signer
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from ..cotalker import objectid
from ..models import Subscription

SECRET_FIELDS = {"secret_choice": "encrypted_secret", "headers": "encrypted_headers"}  # a field, and what is stored
_drafts = Signer(salt="logs.subscription.draft")


def draft_for(user) -> str:
    """The id of a subscription that is to be made, which only this person can make."""
    return _drafts.sign(f"{user.pk}.{objectid.new_objectid()}")


def draft_id(draft: str, user) -> str | None:
    """None for what `draft_for` did not make for them."""
    try:
        owner, _dot, pk = _drafts.unsign(draft).partition(".")
    except BadSignature:
        return None
    return pk if owner == str(user.pk) else None


def version_of(subscription: Subscription, columns: list[str]) -> str:
    """Of each column and secret whether it has changed can be told from this later, and nothing else."""
    values = {name: getattr(subscription, name) for name in columns}
    values |= {name: getattr(subscription, stored) for name, stored in SECRET_FIELDS.items()}
    return " ".join(f"{name}:{version_digest(name, value)}" for name, value in values.items())


def version_digest(name: str, value: Any) -> str:
    return salted_hmac(f"logs.subscription.version.{name}", repr(value)).hexdigest()[:20]


def decode_version(text: str) -> dict[str, str]:
    """The digests, by name."""
    return dict(part.split(":", 1) for part in text.split() if ":" in part)


def display_value(subscription: Subscription, name: str) -> str:
    """What a field has now, in words; of a secret nothing but that it changed."""
    if name in SECRET_FIELDS:
        return _("changed")
    value = getattr(subscription, name)
    if isinstance(value, bool) and name == "is_active":
        return _("yes") if value else _("no")
    label = getattr(subscription, f"get_{name}_display", None)
    return str(label() if label else value if value not in (None, "") else "–")

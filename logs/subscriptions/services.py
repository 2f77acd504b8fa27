"""What people change about a subscription with a button: its secret, whether it is active, and who delivers its events.

Also suggests a subscription's code from its name if a person enters none.
"""

from __future__ import annotations

from itertools import count

from django.db import transaction
from django.utils.text import slugify
from django.utils.translation import gettext as _

from .. import signing
from ..models import AuditAction, AuditEntry, Company, Subscription
from ..models.subscription import SECRET_COLUMNS

CODE_MAX_LENGTH = 100


def suggest_code(name: str, company: Company) -> str:
    """The name in [a-z0-9_]+, with a number appended if the company already has that code."""
    code = slugify(name).replace("-", "_").strip("_")[:CODE_MAX_LENGTH] or "subscription"
    stem = code[: CODE_MAX_LENGTH - 5]  # leaves room for the number
    taken = set(Subscription.objects.filter(company=company, code__startswith=stem).values_list("code", flat=True))
    numbered = (f"{stem}_{number}" for number in count(2))
    return code if code not in taken else next(candidate for candidate in numbered if candidate not in taken)


def rotate_secret(subscription: Subscription, *, after: str, by) -> bool:
    """Set a new secret; the current one also signs for 24 more hours. False if `after` is not the latest rotation."""
    with transaction.atomic():
        stored = Subscription.objects.select_for_update().get(pk=subscription.pk)
        if stored.secret_rotation != after:
            return False
        replace_secret(stored, signing.generate_secret(), by)
        stored.notify_workers()
    return True


def replace_secret(subscription: Subscription, plain: str, by) -> None:
    subscription.replace_secret(plain)
    subscription.save(update_fields=SECRET_COLUMNS)
    AuditEntry.record(by, AuditAction.SECRET_CHANGED, subscription.pk)


def activation_error(subscription: Subscription) -> str:
    """Why the subscription can't be activated, in words; "" if it can."""
    if subscription.is_placeholder:
        return _("This subscription has not been imported yet. Import it, or edit it to add its details.")
    return "" if subscription.url else _("This subscription has no URL. Add one first.")


class EventsAreKept(Exception):
    """Events have waited since the subscription was deactivated. Activating it would send them, and nobody confirmed that."""


def set_active(subscription: Subscription, is_active: bool, by, *, send_kept: bool = False) -> bool:
    """Activate or deactivate; False if nothing changes. The caller checks `activation_error` first.

    Raises EventsAreKept if events wait, unless `send_kept` confirms that they may be sent.
    """
    with transaction.atomic():
        stored = Subscription.objects.select_for_update().get(pk=subscription.pk)
        if stored.is_active == is_active:
            return False
        if is_active and not send_kept and stored.keeps_events:
            raise EventsAreKept
        stored.is_active, stored.is_draining = is_active, False
        stored.track_edit(["is_active"])
        stored.save(update_fields=["is_active", "is_draining", "edited_fields"])
        action = AuditAction.ACTIVATED if is_active else AuditAction.DEACTIVATED
        AuditEntry.record(by, action, stored.pk)
        stored.notify_workers()
    return True


def set_delivered_by(subscription: Subscription, to_cotadmin: bool, by) -> bool:
    """Set who delivers events from now on; False if nothing changes, and for a placeholder. Queued events are sent anyway."""
    with transaction.atomic():
        stored = Subscription.objects.select_for_update().get(pk=subscription.pk)
        if stored.is_placeholder or stored.is_delivered_here == to_cotadmin:
            return False
        stored.is_delivered_here = to_cotadmin
        if to_cotadmin:
            # In Cotalker the URL becomes that of an inbound endpoint; an import must not bring that URL here (ADR 0011).
            stored.track_edit(["url"])
        stored.save(update_fields=["is_delivered_here", "edited_fields"])
        AuditEntry.record(by, AuditAction.DELIVERY_HERE if to_cotadmin else AuditAction.DELIVERY_AT_COTALKER, stored.pk)
        if to_cotadmin and not stored.encrypted_secret:
            replace_secret(stored, signing.generate_secret(), by)
        stored.notify_workers()
    return True

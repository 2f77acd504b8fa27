"""Changes to a subscription by a person: stored column by column, remembered for the next import, and on record."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from .delivery import signing
from .forms import GENERATE, KEEP, NONE, SubscriptionForm
from .models import AuditAction, AuditEntry, Subscription
from .models.subscription import SECRET_COLUMNS

# What a worker must notice before it sends the next event that it has read already.
_WORKERS_NOTICE = {"url", "headers", "timeout", "is_active", "secret"}


def save(form: SubscriptionForm, by) -> bool:
    """Store a valid form; False where somebody was faster, and the form says so then.

    A new one that another click has stored already stays as it is; `form.is_repeated` then.
    """
    try:
        with transaction.atomic():
            return _create(form, by) if form.is_new else _change(form, by)
    except IntegrityError as error:
        if form.is_new and Subscription.objects.filter(pk=form.instance.pk).exists():
            form.is_repeated = True
            return True
        if "subscription_code_unique_in_company" not in str(error):
            raise
        form.say_code_is_taken()
        return False


def _create(form: SubscriptionForm, by) -> bool:
    form.instance.headers = form.cleaned_data["headers"]
    subscription = form.save()
    AuditEntry.record(by, AuditAction.SUBSCRIPTION_CREATED, subscription.pk)
    _set_secret(form, subscription, by)
    return True


def _change(form: SubscriptionForm, by) -> bool:
    stored = Subscription.objects.select_for_update().get(pk=form.instance.pk)
    if stored.is_placeholder != form.instance.is_placeholder:
        form.add_error(None, _("The subscription was imported while you edited it. Open the page again to see it."))
        return False
    if form.is_overtaken(stored):
        return False
    columns = [name for name in form.fields if name in form.Meta.fields]
    changed = [name for name in columns if getattr(form.instance, name) != form.initial[name]]
    if form.fields["headers"].is_changed_to(form.cleaned_data["headers"]):  # type: ignore[attr-defined]
        changed.append("headers")
    if "is_active" in changed and stored.keeps_events:
        form.asks_about_kept = True
        changed.remove("is_active")
    if changed:
        _store_changes(form, stored, changed)
        AuditEntry.record(by, AuditAction.SUBSCRIPTION_CHANGED, stored.pk, ", ".join(changed))
    if _set_secret(form, stored, by):
        changed.append("secret")
    if not _WORKERS_NOTICE.isdisjoint(changed):
        stored.tell_workers()
    return True


def _store_changes(form: SubscriptionForm, stored: Subscription, changed: list[str]) -> None:
    """Only the changed columns are written: the place in the lane moves on while somebody edits."""
    subscription = form.instance
    subscription.is_placeholder = False
    columns = {*changed, "edited_fields", "is_placeholder"}
    if "headers" in changed:
        subscription.headers = form.cleaned_data["headers"]
        columns = columns - {"headers"} | {"encrypted_headers"}
    if "is_active" in changed:
        subscription.is_draining = False
        columns.add("is_draining")
    subscription.edited_fields = stored.edited_fields
    subscription.mark_edited([name for name in changed if name != "headers"])
    subscription.save(update_fields=columns)


def _set_secret(form: SubscriptionForm, subscription: Subscription, by) -> bool:
    """Whether there is another secret now, or none any more."""
    choice = form.cleaned_data["secret_choice"]
    if choice == KEEP or (choice == NONE and not subscription.encrypted_secret):
        return False
    plain = {GENERATE: signing.new_secret(), NONE: ""}.get(choice, form.cleaned_data["own_secret"])
    _replace_secret(subscription, plain, by)
    return True


def rotate_secret(subscription: Subscription, *, after: str, by) -> bool:
    """A new secret; the present one signs as well for 24 hours. False where `after` is not the latest rotation."""
    with transaction.atomic():
        stored = Subscription.objects.select_for_update().get(pk=subscription.pk)
        if stored.secret_rotation != after:
            return False
        _replace_secret(stored, signing.new_secret(), by)
        stored.tell_workers()
    return True


def _replace_secret(subscription: Subscription, plain: str, by) -> None:
    subscription.replace_secret(plain)
    subscription.save(update_fields=SECRET_COLUMNS)
    AuditEntry.record(by, AuditAction.SECRET_CHANGED, subscription.pk)


def why_not_activatable(subscription: Subscription) -> str:
    """The reason in words, "" where it can be activated."""
    if subscription.is_placeholder:
        return _("It was not imported yet. Import it, or edit it to say what it is.")
    return "" if subscription.url else _("It has no URL. Give it one first.")


class EventsAreKept(Exception):
    """Events wait since the subscription was deactivated; activating it would send them, which nobody has said."""


def set_active(subscription: Subscription, is_active: bool, by, *, sends_kept: bool = False) -> bool:
    """Activate or deactivate; False where it is so already. The caller asks `why_not_activatable` first.

    Raises EventsAreKept, unless `sends_kept` says what becomes of them.
    """
    with transaction.atomic():
        stored = Subscription.objects.select_for_update().get(pk=subscription.pk)
        if stored.is_active == is_active:
            return False
        if is_active and not sends_kept and stored.keeps_events:
            raise EventsAreKept
        stored.is_active, stored.is_draining = is_active, False
        stored.mark_edited(["is_active"])
        stored.save(update_fields=["is_active", "is_draining", "edited_fields"])
        action = AuditAction.ACTIVATED if is_active else AuditAction.DEACTIVATED
        AuditEntry.record(by, action, stored.pk)
        stored.tell_workers()
    return True


def switch_delivery(subscription: Subscription, to_cotadmin: bool, by) -> bool:
    """Who sends what happens from now on; False where it is so already, and for a placeholder. What waits is sent anyway."""
    with transaction.atomic():
        stored = Subscription.objects.select_for_update().get(pk=subscription.pk)
        if stored.is_placeholder or stored.we_deliver == to_cotadmin:
            return False
        stored.we_deliver = to_cotadmin
        if to_cotadmin:
            stored.mark_edited(["url"])  # at Cotalker it will be a door: an import must not bring that here (ADR 0011)
        stored.save(update_fields=["we_deliver", "edited_fields"])
        AuditEntry.record(by, AuditAction.WE_DELIVER if to_cotadmin else AuditAction.COTALKER_DELIVERS, stored.pk)
        if to_cotadmin and not stored.encrypted_secret:
            _replace_secret(stored, signing.new_secret(), by)
        stored.tell_workers()
    return True

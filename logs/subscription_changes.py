"""Changes to a subscription by a person: stored column by column, remembered for the next import, and on record."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from .delivery import signing
from .forms import GENERATE, KEEP, NONE, SubscriptionForm
from .models import AuditAction, AuditEntry, Subscription


def save(form: SubscriptionForm, by) -> bool:
    """Store a valid form; False where somebody was faster, and the form says so then."""
    try:
        with transaction.atomic():
            stored = _create(form, by) if form.is_new else _change(form, by)
            if stored:
                _set_secret(form, by)
            return stored
    except IntegrityError as error:
        if "subscription_code_unique_in_company" not in str(error):
            raise
        form.say_code_is_taken()
        return False


def _create(form: SubscriptionForm, by) -> bool:
    subscription = form.save()
    AuditEntry.record(by, AuditAction.SUBSCRIPTION_CREATED, subscription.pk)
    return True


def _change(form: SubscriptionForm, by) -> bool:
    """Only the changed columns are written: the place in the lane moves on while somebody edits."""
    subscription = form.instance
    stored = Subscription.objects.select_for_update().get(pk=subscription.pk)
    if stored.is_placeholder != subscription.is_placeholder:
        form.add_error(None, _("The subscription was imported while you edited it. Open the page again to see it."))
        return False
    columns = [name for name in form.fields if name in form.Meta.fields]
    changed = [name for name in columns if getattr(subscription, name) != form.initial[name]]
    if subscription.is_placeholder:
        subscription.is_placeholder = False
    if changed:
        subscription.edited_fields = stored.edited_fields
        subscription.mark_edited(changed)
        subscription.save(update_fields=[*changed, "edited_fields", "is_placeholder"])
        AuditEntry.record(by, AuditAction.SUBSCRIPTION_CHANGED, subscription.pk, ", ".join(changed))
    return True


def _set_secret(form: SubscriptionForm, by) -> None:
    subscription, choice = form.instance, form.cleaned_data["secret_choice"]
    if choice == KEEP or (choice == NONE and not subscription.encrypted_secret):
        return
    subscription.secret = {GENERATE: signing.new_secret(), NONE: ""}.get(choice, form.cleaned_data["own_secret"])
    subscription.save(update_fields=["encrypted_secret"])
    AuditEntry.record(by, AuditAction.SECRET_CHANGED, subscription.pk)


def why_not_activatable(subscription: Subscription) -> str:
    """The reason in words, "" where it can be activated."""
    if subscription.is_placeholder:
        return _("It was not imported yet. Import it, or edit it to say what it is.")
    return "" if subscription.url else _("It has no URL. Give it one first.")


def set_active(subscription: Subscription, is_active: bool, by) -> bool:
    """Activate or deactivate; False where it is so already. The caller asks `why_not_activatable` first."""
    with transaction.atomic():
        stored = Subscription.objects.select_for_update().get(pk=subscription.pk)
        if stored.is_active == is_active:
            return False
        stored.is_active = is_active
        stored.mark_edited(["is_active"])
        stored.save(update_fields=["is_active", "edited_fields"])
        action = AuditAction.ACTIVATED if is_active else AuditAction.DEACTIVATED
        AuditEntry.record(by, action, stored.pk)
    return True

"""Store the form of a subscription: only changed columns, protected from the next import, with audit entries."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from .. import signing
from ..models import AuditAction, AuditEntry, Subscription
from ..subscriptions.services import replace_secret
from .subscription import GENERATE, KEEP, NONE, SubscriptionForm

# Changes that a worker must notice before it sends events that it has already read.
_WORKERS_NOTICE = {"url", "headers", "timeout", "is_active", "secret"}


def save_subscription_form(form: SubscriptionForm, by) -> bool:
    """Store a valid form; False if someone else was faster, which the form then reports.

    If another click has already created the subscription, it stays as it is and `form.is_repeated` is set.
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
        form.add_code_taken_error()
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
        form.add_error(
            None, _("The subscription was imported while you were editing it. Open the page again to see it.")
        )
        return False
    if form.has_conflict(stored):
        return False
    columns = [name for name in form.fields if name in form.Meta.fields]
    changed = [name for name in columns if getattr(form.instance, name) != form.initial[name]]
    if form.fields["headers"].is_changed_to(form.cleaned_data["headers"]):  # type: ignore[attr-defined]
        changed.append("headers")
    if "is_active" in changed and stored.keeps_events:
        form.needs_kept_decision = True
        changed.remove("is_active")
    if changed:
        _store_changes(form, stored, changed)
        AuditEntry.record(by, AuditAction.SUBSCRIPTION_CHANGED, stored.pk, ", ".join(changed))
    if _set_secret(form, stored, by):
        changed.append("secret")
    if not _WORKERS_NOTICE.isdisjoint(changed):
        stored.notify_workers()
    return True


def _store_changes(form: SubscriptionForm, stored: Subscription, changed: list[str]) -> None:
    """Write only the changed columns: the queue's own columns may change while someone edits."""
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
    subscription.track_edit([name for name in changed if name != "headers"])
    subscription.save(update_fields=columns)


def _set_secret(form: SubscriptionForm, subscription: Subscription, by) -> bool:
    """Replace or remove the secret if requested; return whether it changed."""
    choice = form.cleaned_data["secret_choice"]
    if choice == KEEP or (choice == NONE and not subscription.encrypted_secret):
        return False
    plain = {GENERATE: signing.generate_secret(), NONE: ""}.get(choice, form.cleaned_data["own_secret"])
    replace_secret(subscription, plain, by)
    return True

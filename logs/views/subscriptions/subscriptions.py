"""The subscriptions: the list with their health, one of them, and the changes that people make to them."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from ...cotalker import objectid
from ...delivery.queue_summary import waiting_count, with_queue_status
from ...forms import subscription_saving
from ...forms.list_filters import SubscriptionFilterForm
from ...forms.subscription import GENERATE, SubscriptionForm
from ...models import Company, Subscription
from ...subscriptions import services
from ...subscriptions.services import suggest_code
from ..helpers import live_context, render_region, show_outcome
from .detail_page import SECRET_ONCE, detail_context, list_context


@require_safe
@permission_required("logs.view_subscription", raise_exception=True)
def subscription_list(request: HttpRequest) -> HttpResponse:
    search = SubscriptionFilterForm(request.GET)
    context: dict[str, Any] = {"search": search}
    if search.is_valid():
        context |= live_context(request)
        context |= list_context(search.found_in(Subscription.objects.visible_to(request.user)), search.order)
    status = 200 if search.is_valid() else 422
    return render_region(request, "subscriptions/list.html", "subscriptions/_table.html", context, status)


def visible_subscription(request: HttpRequest, pk: str) -> Subscription:
    """Return the subscription with the state of its queue; 404 if it doesn't exist or the user may not see it."""
    visible = Subscription.objects.visible_to(request.user).select_related("company")
    return get_object_or_404(with_queue_status(visible), pk=pk)


@require_safe
@never_cache
@permission_required("logs.view_subscription", raise_exception=True)
def subscription_detail(request: HttpRequest, pk: str) -> HttpResponse:
    return render(request, "subscriptions/detail.html", detail_context(request, visible_subscription(request, pk)))


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("logs.add_subscription", raise_exception=True)
def subscription_create(request: HttpRequest) -> HttpResponse:
    if not Company.objects.visible_to(request.user).exists():
        return render(request, "subscriptions/no_company.html", status=422 if request.method == "POST" else 200)
    form = SubscriptionForm(_posted(request), user=request.user)
    return _store(request, form, _("The subscription was created.")) or _form_page(request, form)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("logs.change_subscription", raise_exception=True)
def subscription_edit(request: HttpRequest, pk: str) -> HttpResponse:
    form = SubscriptionForm(_posted(request), user=request.user, instance=visible_subscription(request, pk))
    return _store(request, form, _("The subscription was saved.")) or _form_page(request, form)


def _posted(request: HttpRequest) -> QueryDict | None:
    return request.POST if request.method == "POST" else None


def _store(request: HttpRequest, form: SubscriptionForm, message: str) -> HttpResponse | None:
    """Save the form. Return the redirect to the subscription; None if the form must be shown again."""
    if not form.is_valid() or not subscription_saving.save_subscription_form(form, by=request.user):
        return None
    if form.is_repeated:
        return redirect(form.instance)
    if form.cleaned_data["secret_choice"] == GENERATE:
        request.session[SECRET_ONCE] = form.instance.pk
    messages.success(request, message)
    for warning in form.warnings:
        messages.warning(request, warning)
    return (
        redirect("logs:subscription_activate", form.instance.pk)
        if form.needs_kept_decision
        else redirect(form.instance)
    )


def _form_page(request: HttpRequest, form: SubscriptionForm) -> HttpResponse:
    # After an error, the form's instance holds the input, but the page's title needs the stored name.
    context = {"form": form, "subscription": None if form.is_new else Subscription.objects.get(pk=form.instance.pk)}
    return render(request, "subscriptions/form.html", context, status=422 if form.is_bound else 200)


@require_safe
@permission_required("logs.add_subscription", raise_exception=True)
def subscription_code(request: HttpRequest) -> HttpResponse:
    """Suggest a code for the name being typed; nothing if the user has typed their own code."""
    param = request.GET.get
    if param("code", "") != param("suggested", ""):
        return HttpResponse(status=204)
    companies = Company.objects.visible_to(request.user)
    if objectid.is_objectid(param("company")):
        companies = companies.filter(pk=param("company"))
    name, company = param("name", "").strip(), companies.first()
    code = suggest_code(name, company) if name and company else ""
    return render(request, "subscriptions/_code.html", {"code": code})


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@permission_required("logs.change_subscription", raise_exception=True)
def subscription_activate(request: HttpRequest, pk: str) -> HttpResponse:
    """Activate the subscription. If it has kept events, ask what to do with them; `kept`: "send" is the answer."""
    subscription = visible_subscription(request, pk)
    if request.method != "POST":
        return _kept_events_page(request, subscription) if subscription.keeps_events else redirect(subscription)
    send_kept = request.POST.get("kept") == "send"
    if error := services.activation_error(subscription):
        messages.error(request, _("Not activated. %(reason)s") % {"reason": error})
        return redirect(subscription)
    try:
        is_new = services.set_active(subscription, True, by=request.user, send_kept=send_kept)
    except services.EventsAreKept:
        return _kept_events_page(request, subscription)
    show_outcome(request, is_new, _("The subscription is active."), _("The subscription was already active."))
    return redirect(subscription)


def _kept_events_page(request: HttpRequest, subscription: Subscription) -> HttpResponse:
    context = {"subscription": subscription, "kept": waiting_count(subscription)}
    return render(request, "subscriptions/activate.html", context)


@require_POST
@permission_required("logs.change_subscription", raise_exception=True)
def subscription_deactivate(request: HttpRequest, pk: str) -> HttpResponse:
    subscription = visible_subscription(request, pk)
    is_new = services.set_active(subscription, False, by=request.user)
    done = _("The subscription is inactive. It gets no new events; waiting events are kept.")
    show_outcome(request, is_new, done, _("The subscription was already inactive."))
    return redirect(subscription)

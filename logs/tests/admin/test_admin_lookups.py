"""The admin site takes only the filters and searches that it offers. So nobody can guess masked values."""

from __future__ import annotations

import re

import pytest
from django.contrib import admin
from django.contrib.contenttypes.models import ContentType
from django.urls import reverse

from logs.models import Attempt, AuditAction, AuditEntry, Company, Subscription, WebhookLog

from ..factories import OTHER_COMPANY, make_company, make_log, make_subscription
from .pages import change_page, rows_of

pytestmark = pytest.mark.django_db
MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
# No list can be ordered by these: their values are masked or secret.
MASKED = {
    "url",
    "response",
    "response_headers",
    "document",
    "event",
    "extra",
    "query",
    "fingerprint",
    "search",
    "password",
}
SECRETS = "https://user:hunter1@a.example/x?token=hunter2&n=7#password=hunter3"
ENDPOINT_URL = f"https://b.example/in/{'hunter4'.ljust(43, 'x')}"


def list_of(model) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def filtered_columns(model) -> set[str]:
    filters = _page(model).list_filter
    paths = {item[0] if isinstance(item, tuple) else item for item in filters if not callable(item)}
    return paths | {item.parameter_name for item in filters if callable(item)}


def _page(model) -> admin.ModelAdmin:
    return admin.site.get_model_admin(model)


def test_a_lookup_that_a_list_does_not_offer_is_refused(admin_client):
    for model in MODELS:
        names = [field.name for field in model._meta.get_fields()]
        for name in names:
            lookup = f"{name}__contains"
            assert admin_client.get(list_of(model), {lookup: "x"}).status_code == 400, lookup


def test_a_filter_compares_its_whole_value_alone(rf, admin_user):
    request = rf.get("/")
    request.user = admin_user
    deeper = ("", "__contains", "__regex", "__gt", "__lt", "__in", "__url__startswith", "__pk", "__password__gt")
    for model in MODELS:
        names = {field.name for field in model._meta.get_fields()} | filtered_columns(model)
        lookups = [f"{name}{lookup}" for name in names for lookup in deeper]
        allowed = {lookup for lookup in lookups if _page(model).lookup_allowed(lookup, "x", request)}
        assert {lookup for lookup in allowed if "__" in lookup} <= {"day__lt", "scheduled_at__lt"}, model  # of dates
        assert allowed - {"day__lt", "scheduled_at__lt"} <= filtered_columns(model), model


@pytest.mark.parametrize(
    "query", ["response__contains=h", "response__regex=^h", "created_at__year=99999", "status__exact=abc"]
)
def test_the_page_explains_the_refusal(admin_client, query):
    answer = admin_client.get(f"{list_of(WebhookLog)}?{query}")
    assert answer.status_code == 400
    assert "This URL is not valid" in answer.content.decode()


def test_every_filter_that_a_list_offers_works(admin_client):
    make_subscription(is_delivered_here=False)
    Attempt.of_cotalker(make_log()).save()
    followed = 0
    for model in MODELS:
        page = admin_client.get(list_of(model)).content.decode()
        filters = " ".join(re.findall(r'<nav id="changelist-filter".*?</nav>', page, re.DOTALL))
        for link in re.findall(r'href="(\?[^"]+)"', filters):
            followed += 1
            assert admin_client.get(list_of(model) + link.replace("&amp;", "&")).status_code == 200, link
    assert followed > 50


def test_no_list_can_be_ordered_by_a_masked_column():
    for model in MODELS:
        for column in _page(model).list_display:
            shown = column if callable(column) else getattr(_page(model), column, None)
            assert getattr(shown, "admin_order_field", None) is None
            assert column not in MASKED


def test_no_masked_column_can_identify_a_row(admin_client):
    for model in MODELS:
        for name in MASKED & {field.name for field in model._meta.get_fields()}:
            for query in ({"_to_field": name}, {"_popup": "1", "_to_field": name}):
                assert admin_client.get(list_of(model), query).status_code == 400


# Searches


@pytest.fixture
def secrets(db) -> list[Subscription]:
    return [make_subscription(url=SECRETS), make_subscription("62685990d918fb5557f90000", url=ENDPOINT_URL)]


@pytest.mark.parametrize("address", [reverse("logs:subscription_list"), list_of(Subscription)])
@pytest.mark.parametrize("words", ["hunter1", "user:h", "hunter2", "token=hun", "hunter3", "hunter4", "/in/h", "er2&n"])
def test_a_masked_part_of_a_url_is_not_found(admin_client, secrets, address, words):
    page = admin_client.get(address, {"q": words})
    assert page.status_code == 200
    assert not [row for row in secrets if row.pk in page.content.decode()]


@pytest.mark.parametrize("address", [reverse("logs:subscription_list"), list_of(Subscription)])
@pytest.mark.parametrize("words", ["A.EXAMPLE/x", "/x?token=", "n=7", "//user:", "7#pass"])
def test_a_url_is_found_by_its_visible_part(admin_client, secrets, address, words):
    page = admin_client.get(address, {"q": words}).content.decode()
    assert [row.pk for row in secrets if row.pk in page] == [secrets[0].pk]


def test_no_search_of_the_admin_site_finds_a_masked_value(admin_client, admin_user):
    make_subscription(url=SECRETS, document='{"password": "hunter2"}')
    log = make_log(event={"data": {"password": "hunter2"}}, response="password=hunter2")
    Attempt.of_cotalker(log).save()
    Attempt.objects.update(url=SECRETS, response_headers=[["Set-Cookie", "hunter2"]])
    AuditEntry.record(admin_user, AuditAction.REDELIVERED, log.pk)
    for model in MODELS:
        for words in ("hunter", "password=hunter2"):
            answer = admin_client.get(list_of(model), {"q": words})
            assert rows_of(answer) == [] or not _page(model).search_fields


# The link to the page of an object


def way_to(row) -> str:
    return reverse("admin:view_on_site", args=[ContentType.objects.get_for_model(row).pk, row.pk])


def test_the_link_to_an_object_works_for_those_who_may_see_it(client, staff):
    subscription = make_subscription()
    log = make_log()
    staff("Viewer")
    for row in (subscription, log):
        assert client.get(way_to(row))["Location"] == row.get_absolute_url()
    staff("Administrator", make_company(OTHER_COMPANY, "Other"))
    for row in (subscription, log):
        assert client.get(way_to(row)).status_code == 404


def test_the_link_to_an_object_needs_the_permission(client, staff):
    user = staff("Viewer")
    user.groups.get().permissions.filter(codename="view_webhooklog").delete()
    make_subscription()
    assert client.get(way_to(make_log())).status_code == 404


@pytest.mark.parametrize("place", ["0/1", "x/y", "99999999999999999999/1", "٣/1", "1/1"])
def test_the_link_to_a_missing_object_is_not_found(admin_client, place):
    assert admin_client.get(reverse("admin:index") + f"r/{place}/").status_code == 404


# People


def test_people_of_other_companies_are_neither_named_nor_added(client, staff, django_user_model):
    stranger = django_user_model.objects.create_user("stranger")
    make_company(OTHER_COMPANY, "Other").users.add(stranger)
    user = staff("Administrator")
    colleague = django_user_model.objects.create_user("colleague")
    company = make_company()
    company.users.add(colleague)

    page = client.get(change_page(company)).content.decode()
    assert set(re.findall(r"<option[^>]*>(\w[\w-]*)</option>", page)) == {"colleague", user.username}
    answer = client.post(change_page(company), {"name": "Austral", "users": [user.pk, stranger.pk]})
    assert "is not one of the available choices" in answer.content.decode()
    client.post(change_page(company), {"name": "Austral", "users": [user.pk]})
    assert list(Company.objects.get(pk=company.pk).users.all()) == [user]


def test_a_user_who_may_see_users_can_add_any_of_them(admin_client, django_user_model):
    stranger = django_user_model.objects.create_user("stranger")
    company = make_company()
    admin_client.post(change_page(company), {"name": "Austral", "users": [stranger.pk]})
    assert list(company.users.all()) == [stranger]

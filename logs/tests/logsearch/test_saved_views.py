"""Saved views: a named filter, private or shared, pinned with the number of its logs."""

import re

import pytest
from django.core.cache import cache
from django.db import IntegrityError, transaction

from logs.models import SavedView

from ..factories import (
    OTHER_SUBSCRIPTION,
    SUBSCRIPTION,
    import_logs,
    log_document,
    make_company,
    make_log,
    make_subscription,
)
from ..html import text_of

pytestmark = pytest.mark.django_db
LIST = "/saved-views/"


@pytest.fixture(autouse=True)
def nothing_remembered():
    cache.clear()
    yield
    cache.clear()


def save(client, name="Mine", query="state=failed", **more):
    return client.post("/saved-views/new/", {"name": name, "query": query} | more)


def text(client, address=LIST):
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_current_filter_is_saved_without_its_cursor_and_opened_again(client, operator):
    cursor = "1651781080084000~62742dd824c886d54e60f02b"
    answer = save(client, "Broken", f"state=failed&q=&cause=timeout&after={cursor}&sort=newest&extend=")
    view = SavedView.objects.get()
    assert (view.owner, view.name, view.query) == (operator, "Broken", "cause=timeout&state=failed")
    assert (view.is_shared, list(view.pinned_by.all())) == (False, [])
    assert answer["Location"] == "/logs/?cause=timeout&state=failed"
    assert client.get(answer["Location"]).status_code == 200


def test_the_order_of_the_list_is_part_of_a_view(client, operator):
    save(client, query="sort=oldest&state=failed")
    assert SavedView.objects.get().query == "sort=oldest&state=failed"


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("colour=red", "There is no such filter."),
        ("state=broken", "Select a valid choice."),
        (f"subscription={OTHER_SUBSCRIPTION}", "is not one of the available choices"),
        ("", "choose a filter first"),
        ("after=1651781080084000~62742dd824c886d54e60f02b", "choose a filter first"),
        ("q=" + "x" * 2000, "too long"),
        ("q=" + "ñ" * 400, "too long"),  # as it stands in an address
        ("q=%00", "Null characters are not allowed."),
    ],
)
def test_a_wrong_or_empty_filter_is_not_saved_and_says_why(client, operator, query, problem):
    answer = save(client, query=query)
    assert answer.status_code == 422
    assert problem in answer.content.decode()
    assert not SavedView.objects.exists()


@pytest.mark.parametrize("name", ["", "   ", "x" * 61, "a\x00b"])
def test_a_name_is_needed_and_has_60_characters_at_most(client, operator, name):
    assert save(client, name).status_code == 422
    assert not SavedView.objects.exists()


def test_names_are_unique_for_each_owner_regardless_of_case(client, operator, member):
    save(client, "Night")
    answer = save(client, " NIGHT ", "state=pending")
    assert answer.status_code == 422
    assert "A view with this name already exists." in answer.content.decode()
    client.force_login(member("Operator"))
    assert save(client, "Night").status_code == 302
    with pytest.raises(IntegrityError), transaction.atomic():
        SavedView.objects.create(owner=operator, name="niGHT", query="state=failed")


def test_saving_under_a_used_name_can_replace_that_view(client, operator):
    save(client, "Night")
    view = SavedView.objects.get()
    page = save(client, "night", "state=pending").content.decode()
    assert f'action="/saved-views/{view.pk}/filter/"' in page
    assert 'value="state=pending"' in page
    client.post(f"/saved-views/{view.pk}/filter/", {"query": "state=pending"})
    view.refresh_from_db()
    assert (view.name, view.query) == ("Night", "state=pending")


def test_a_view_never_gets_a_filter_that_is_wrong(client, operator):
    save(client)
    view = SavedView.objects.get()
    answer = client.post(f"/saved-views/{view.pk}/filter/", {"query": "colour=red"}, follow=True)
    assert "There is no such filter." in answer.content.decode()
    view.refresh_from_db()
    assert view.query == "state=failed"


def test_a_user_has_at_most_fifty_views(client, operator):
    SavedView.objects.bulk_create(
        SavedView(owner=operator, name=str(number), query="state=failed") for number in range(50)
    )
    answer = save(client, "One more")
    assert answer.status_code == 422
    assert "You already have 50 views, the maximum." in answer.content.decode()
    view = SavedView.objects.first()
    assert client.post(f"/saved-views/{view.pk}/", {"name": "Renamed"}).status_code == 302


def test_a_view_is_renamed_shared_and_pinned(client, operator):
    save(client)
    view = SavedView.objects.get()
    client.post(f"/saved-views/{view.pk}/", {"name": "Night outage", "is_shared": "on", "is_pinned": "on"})
    view.refresh_from_db()
    assert (view.name, view.is_shared, view.query) == ("Night outage", True, "state=failed")
    assert list(view.pinned_by.all()) == [operator]
    client.post(f"/saved-views/{view.pk}/", {"name": "Night outage"})
    view.refresh_from_db()
    assert (view.is_shared, list(view.pinned_by.all())) == (False, [])


def test_deleting_needs_confirmation(client, operator):
    save(client, "Night outage")
    view = SavedView.objects.get()
    assert "Delete the view “Night outage”?" in text(client, f"/saved-views/{view.pk}/delete/")
    assert SavedView.objects.exists()
    answer = client.post(f"/saved-views/{view.pk}/delete/", follow=True)
    assert answer.redirect_chain == [(LIST, 302)]
    assert not SavedView.objects.exists()


# Who sees it, and who may change it.


def test_only_the_owner_sees_an_unshared_view(client, operator, member, admin_user):
    save(client, "Private one", is_pinned="on")
    view = SavedView.objects.get()
    for user in (member("Administrator"), admin_user):
        client.force_login(user)
        assert "Private one" not in text(client)
        for path in ("", "delete/"):
            assert client.get(f"/saved-views/{view.pk}/{path}").status_code == 404
        for path in ("", "filter/", "pin/", "unpin/", "delete/"):
            assert (
                client.post(f"/saved-views/{view.pk}/{path}", {"name": "x", "query": "state=failed"}).status_code == 404
            )
    view.refresh_from_db()
    assert view.name == "Private one"


def test_colleagues_see_a_shared_view_and_only_its_owner_or_a_superuser_changes_it(
    client, operator, member, admin_user
):
    save(client, "Night outage", is_shared="on")
    view = SavedView.objects.get()
    client.force_login(member("Administrator"))
    assert "Night outage" in text(client)
    assert client.get(f"/saved-views/{view.pk}/").status_code == 404
    assert client.post(f"/saved-views/{view.pk}/delete/").status_code == 404
    client.force_login(member("Administrator", make_company("625be93a286ef83c1c0e0000", "Other")))
    assert "Night outage" not in text(client)
    assert client.post(f"/saved-views/{view.pk}/pin/").status_code == 404
    client.force_login(admin_user)
    assert client.post(f"/saved-views/{view.pk}/", {"name": "Night", "is_shared": "on"}).status_code == 302
    view.refresh_from_db()
    assert (view.name, view.owner) == ("Night", operator)


def test_everybody_sees_the_view_that_a_superuser_shares(client, member, admin_user):
    SavedView.objects.create(owner=admin_user, name="Everywhere", query="state=failed", is_shared=True)
    client.force_login(member("Viewer", make_company("625be93a286ef83c1c0e0000", "Other")))
    assert "Everywhere" in text(client)


def test_a_viewer_saves_views_and_shares_none(client, member):
    viewer = member("Viewer")
    client.force_login(viewer)
    save(client, is_shared="on")
    assert [(view.owner, view.is_shared) for view in SavedView.objects.all()] == [(viewer, False)]
    assert "Share it" not in text(client, "/saved-views/new/?state=failed")


def test_without_a_permission_to_see_logs_there_are_no_views(client, django_user_model):
    client.force_login(django_user_model.objects.create_user("eva"))
    for path in ("", "new/", "counts/", "1/", "1/delete/"):
        assert client.get(f"{LIST}{path}").status_code == 403


# Pins and numbers.


def test_a_shared_view_is_pinned_by_each_for_themselves(client, operator, member):
    save(client, "Night outage", is_shared="on")
    view, colleague = SavedView.objects.get(), member("Viewer")
    client.force_login(colleague)
    client.post(f"/saved-views/{view.pk}/pin/")
    assert list(view.pinned_by.all()) == [colleague]
    assert "Night outage" in text(client, "/subscriptions/")
    client.force_login(operator)
    assert "Night outage" not in text(client, "/subscriptions/")
    client.force_login(colleague)
    client.post(f"/saved-views/{view.pk}/unpin/")
    assert not view.pinned_by.exists()


def test_the_navigation_is_the_same_over_the_logs_as_elsewhere(client, operator):
    save(client, "Night outage", "state=failed&cause=timeout", is_pinned="on")
    save(client, "Not pinned", "state=failed&cause=dns")

    def navigation(address: str) -> list[str]:
        main = re.findall(r'<nav aria-label="Main".*?</nav>', text(client, address), re.DOTALL)[0]
        return [re.sub(r"\s+", " ", link) for link in re.findall(r'<a href="/logs/\?.*?</a>', main, re.DOTALL)]

    elsewhere = navigation("/subscriptions/")
    assert len(elsewhere) == 1 and "Night outage" in elsewhere[0]
    assert navigation("/logs/") == navigation("/logs/?cause=timeout&state=failed") == elsewhere


def test_an_unshared_view_leaves_the_navigation_of_others(client, operator, member):
    view = SavedView.objects.create(owner=operator, name="Night outage", query="state=failed", is_shared=True)
    colleague = member("Viewer")
    view.pinned_by.add(colleague)
    client.post(f"/saved-views/{view.pk}/", {"name": "Night outage"})
    client.force_login(colleague)
    assert "Night outage" not in text(client, "/subscriptions/")


def test_eight_views_fit_into_the_navigation(client, operator):
    for number in range(9):
        save(client, f"View {number}", is_pinned="on")
    assert SavedView.objects.pinned_by(operator).count() == 8
    assert "The view was not pinned: you already have 8 pinned views" in text(client)


def test_the_counts_include_only_visible_logs(client, operator, member):
    make_subscription()
    make_subscription(OTHER_SUBSCRIPTION, company=make_company("625be93a286ef83c1c0e0000", "Other"))
    import_logs(
        log_document(0), log_document(1), log_document(2, subscription=OTHER_SUBSCRIPTION), log_document(3, status=200)
    )
    save(client, is_pinned="on", is_shared="on")
    view = SavedView.objects.get()
    assert f"""[data-count='{view.pk}']">2<""" in text(client, "/saved-views/counts/")
    outsider = member("Viewer", make_company("625be93a286ef83c1c0e0000", "Other"))
    client.force_login(outsider)
    SavedView.objects.create(owner=outsider, name="Mine", query="state=failed").pinned_by.add(outsider)
    page = text(client, "/saved-views/counts/?tabs")
    assert """[data-count='failed']">1<""" in page
    assert f"'{view.pk}'" not in page


def test_the_counts_are_requested_once_and_then_included_in_the_page(client, operator, django_assert_max_num_queries):
    make_subscription()
    make_log()
    save(client, "Broken", is_pinned="on")
    assert 'hx-get="/saved-views/counts/"' in text(client, "/subscriptions/")
    answer = client.get("/saved-views/counts/")
    assert len(answer.content) < 2048
    page = text(client, "/subscriptions/")
    assert 'hx-get="/saved-views/counts/"' not in page
    assert ">1</span>" in page
    with django_assert_max_num_queries(6):  # session, user, permissions and views
        client.get("/saved-views/counts/")


def test_the_counts_of_all_pinned_views_are_a_small_response(client, operator):
    for number in range(8):
        save(client, f"{number}" * 60, f"q={number}{'x' * 480}", is_pinned="on")
    answer = client.get("/saved-views/counts/?tabs")
    assert len(answer.content) < 2048


def test_an_old_count_stays_until_the_page_has_requested_a_new_one(client, operator, monkeypatch):
    make_subscription()
    make_log()
    save(client, "Broken", is_pinned="on")
    client.get("/saved-views/counts/")
    monkeypatch.setattr("logs.logsearch.saved_views.FRESH_SECONDS", 0)
    make_log(1)
    page = text(client, "/subscriptions/")
    assert ">1</span>" in page
    assert 'hx-get="/saved-views/counts/"' in page
    assert ">2</span>" in text(client, "/saved-views/counts/")


# What has become wrong.


@pytest.fixture
def broken(client, operator) -> SavedView:
    """A view that filters by a deleted subscription."""
    gone = make_subscription(OTHER_SUBSCRIPTION)
    make_subscription()
    save(
        client, "Broken", f"subscription={OTHER_SUBSCRIPTION}&subscription={SUBSCRIPTION}&state=failed", is_pinned="on"
    )
    gone.delete()
    return SavedView.objects.get()


def test_a_view_with_an_invalid_filter_says_so_and_finds_nothing(client, broken):
    assert "This view shows no logs: its filter is no longer valid." in text(client)
    assert client.get(broken.get_absolute_url()).status_code == 422
    assert f"'{broken.pk}'" not in text(client, "/saved-views/counts/")


def test_it_is_fixed_by_removing_the_invalid_part(client, broken):
    page = text(client, f"/saved-views/{broken.pk}/")
    rest = f"state=failed&amp;subscription={SUBSCRIPTION}"
    assert f'name="query" value="{rest}"' in page
    client.post(f"/saved-views/{broken.pk}/filter/", {"query": rest.replace("&amp;", "&")})
    assert "This view shows no logs" not in text(client)


def test_it_can_still_be_renamed_or_deleted(client, broken):
    assert client.post(f"/saved-views/{broken.pk}/", {"name": "Still broken"}).status_code == 302
    client.post(f"/saved-views/{broken.pk}/delete/")
    assert not SavedView.objects.exists()


def test_the_form_of_a_new_view_shows_its_filter(client, operator):
    page = text_of(client.get("/saved-views/new/?state=failed&not_cause=timeout&sort=oldest"))
    assert re.search(r"State\s+Failed\s+Cause\s+not\s+No answer in time\s+oldest first", page)
    page = text_of(client.get("/saved-views/new/?colour=red"))
    assert "There is no such filter." in page

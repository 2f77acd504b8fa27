"""Two clicks, two tabs, two people: one subscription is created, and nobody overwrites changes they have not seen."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.test import Client
from django.urls import reverse

from logs.models import AuditAction, AuditEntry, Subscription, Trigger

from ..events import as_bytes, at_once, make_endpoint, make_event, post
from ..factories import make_company, make_subscription
from ..html import text_of

pytestmark = pytest.mark.django_db(transaction=True)

NEW = reverse("logs:subscription_create")
URL = "http://127.0.0.1:9000/hook"  # the tests' settings allow it
SECRET = "whsec_" + "QUJD" * 8


@pytest.fixture
def browse(member):
    """`browse()`: a browser in which an administrator is signed in."""

    def browse(user=None) -> Client:
        client = Client()
        client.force_login(user or member("Administrator"))
        return client

    return browse


def fields_of(page: str) -> dict[str, str]:
    """The data that a browser would send of the page's form."""
    form = re.search(r'<form[^>]*id="subscription-form".*?</form>', page, re.DOTALL)[0]
    values = {}
    for tag in re.findall(r"<input[^>]*>", form):
        name, value = (re.search(rf'\b{key}="([^"]*)"', tag) for key in ("name", "value"))
        if name and (not re.search(r'type="(radio|checkbox)"', tag) or " checked" in tag):
            values[name[1]] = unescape(value[1]) if value else ("on" if "checkbox" in tag else "")
    for name, text in re.findall(r'<textarea[^>]*name="([^"]*)"[^>]*>\n?(.*?)</textarea>', form, re.DOTALL):
        values[name] = unescape(text)
    return values


def open_form(client: Client, address: str) -> dict[str, str]:
    return fields_of(client.get(address).content.decode())


def edit(subscription) -> str:
    return reverse("logs:subscription_edit", args=[subscription.pk])


@pytest.mark.parametrize("code", ["", "orders"])
def test_concurrent_submissions_create_one_subscription(browse, member, code):
    make_company()
    user = member("Administrator")
    typed = open_form(browse(user), NEW) | {"name": "Orders", "code": code, "url": URL, "trigger": Trigger.TASK}
    answers = at_once([lambda: browse(user).post(NEW, typed) for _number in range(4)])
    created = Subscription.objects.get()
    assert {(answer.status_code, answer.url) for answer in answers} == {(302, created.get_absolute_url())}
    assert created.code == "orders"
    assert AuditEntry.objects.filter(action=AuditAction.SUBSCRIPTION_CREATED).count() == 1
    assert browse(user).post(NEW, typed).url == created.get_absolute_url()  # the browser's Back, and once more
    assert Subscription.objects.count() == 1


def test_two_forms_create_two_subscriptions_and_a_draft_belongs_to_its_user(browse, member):
    make_company()
    one, other = browse(), browse()
    typed = {"name": "Orders", "url": URL, "trigger": Trigger.TASK}
    first = open_form(one, NEW) | typed
    assert one.post(NEW, first).status_code == one.post(NEW, open_form(one, NEW) | typed).status_code == 302
    assert other.post(NEW, first | {"code": "theirs"}).status_code == 302
    forged = "625be93a286ef83c1c0e8888"
    assert one.post(NEW, first | {"code": "ours", "draft": f"1.{forged}:forged"}).status_code == 302
    assert sorted(Subscription.objects.values_list("code", flat=True)) == ["orders", "orders_2", "ours", "theirs"]
    assert not Subscription.objects.filter(pk=forged).exists()


def test_the_second_of_two_tabs_shows_the_changes_and_keeps_the_typed_values(browse):
    subscription = make_subscription(name="Orders", url=URL, description="As it was", timeout=10)
    one, other = browse(), browse()
    first, second = (open_form(each, edit(subscription)) for each in (one, other))
    changes = {"name": "Work orders", "url": f"{URL}?token=hunter2", "timeout": "30", "headers": "X-Key: hunter3"}
    assert one.post(edit(subscription), first | changes).status_code == 302

    answer = other.post(edit(subscription), second | {"name": "My orders", "description": "Mine"})
    assert answer.status_code == 422
    text = text_of(answer)
    assert "Someone changed this subscription while you were editing it. Nothing has been saved yet." in text
    shown = re.search(r'<dl class="description-list" id="meanwhile">(.*?)</dl>', answer.content.decode(), re.DOTALL)[1]
    lines = [" ".join(re.sub("<[^>]+>", " ", line).split()) for line in re.findall(r"<dt>.*?</dd>", shown, re.DOTALL)]
    assert lines[0] == "Name Work orders"
    assert lines[1].startswith("URL http://127.0.0.1:9000/hook?token=") and lines[2:] == [
        "Timeout 30",
        "Request headers changed",
    ]
    assert "hunter3" not in answer.content.decode() and "hunter2" not in shown
    assert Subscription.objects.values_list("name", "description").get() == ("Work orders", "As it was")

    again = fields_of(answer.content.decode())
    assert (again["name"], again["description"]) == ("My orders", "Mine")  # what was typed
    assert (again["timeout"], again["url"]) == ("30", f"{URL}?token=hunter2")  # what was not touched
    assert other.post(edit(subscription), again).status_code == 302
    stored = Subscription.objects.get()
    assert (stored.name, stored.description, stored.timeout) == ("My orders", "Mine", 30)
    assert stored.headers == [("X-Key", "hunter3")]


def test_actions_on_the_subscription_page_are_shown_as_changes_too(browse):
    subscription = make_subscription(name="Orders", url=URL)
    client = browse()
    opened = open_form(client, edit(subscription))
    client.post(reverse("logs:subscription_deactivate", args=[subscription.pk]))
    client.post(reverse("logs:subscription_secret_rotate", args=[subscription.pk]), {"after": ""})
    answer = client.post(edit(subscription), opened | {"name": "New"})
    assert answer.status_code == 422
    assert "Active no Signing secret changed" in text_of(answer)
    assert not Subscription.objects.get().is_active
    assert client.post(edit(subscription), fields_of(answer.content.decode())).status_code == 302
    assert Subscription.objects.values_list("name", "is_active").get() == ("New", False)


def test_saving_the_same_values_twice_is_not_a_conflict(browse):
    subscription = make_subscription(name="Orders", url=URL)
    client = browse()
    typed = open_form(client, edit(subscription)) | {"name": "New"}
    assert [client.post(edit(subscription), typed).status_code for _number in range(2)] == [302, 302]


@pytest.fixture
def kept(browse):
    """A subscription that was deactivated while two events waited."""
    subscription = make_subscription(name="Orders", url=URL)
    endpoint = make_endpoint()
    for number in range(2):
        assert post(Client(), endpoint, as_bytes(make_event(number))).status_code == 202
    browse().post(reverse("logs:subscription_deactivate", args=[subscription.pk]))
    assert len(subscription.waiting()) == 2
    return subscription


def is_active() -> bool:
    return Subscription.objects.get().is_active


def activate(subscription) -> str:
    return reverse("logs:subscription_activate", args=[subscription.pk])


def test_activating_asks_what_to_do_with_kept_events(browse, kept):
    client = browse()
    page = client.get(kept.get_absolute_url()).content.decode()
    assert f'action="{activate(kept)}"' in page
    question = client.post(activate(kept))
    assert "2 events have been kept since the subscription was deactivated." in text_of(question)
    assert not is_active() and len(kept.waiting()) == 2
    answer = re.search(r'<button[^>]*name="(kept)" value="(send)"', question.content.decode())
    assert client.post(activate(kept), {answer[1]: answer[2]}).url == kept.get_absolute_url()
    assert is_active() and len(kept.waiting()) == 2


def test_after_skipping_the_kept_events_nothing_is_asked(browse, kept):
    client = browse()
    question = client.post(activate(kept)).content.decode()
    skip = reverse("logs:queue_skip_waiting", args=[kept.pk])
    assert f'href="{skip}"' in question
    assert client.post(skip, {"reason": "expired"}).status_code == 302
    assert client.post(activate(kept)).url == kept.get_absolute_url()
    assert is_active() and not kept.waiting()


def test_the_form_saves_the_other_fields_and_asks_too(browse, kept):
    client = browse()
    typed = open_form(client, edit(kept)) | {"name": "New", "is_active": "on"}
    answer = client.post(edit(kept), typed, follow=True)
    assert "2 events have been kept since the subscription was deactivated" in text_of(answer)
    assert Subscription.objects.values_list("name", "is_active").get() == ("New", False)


def test_the_admin_site_leaves_the_question_to_the_page(kept, admin_client):
    page = reverse("admin:logs_subscription_change", args=[kept.pk])
    typed = {"name": "New", "url": URL, "trigger": kept.trigger, "description": "", "is_active": "on"}
    typed |= dict.fromkeys(("context_task_group", "context_survey", "context_group"), "")
    assert "Activate it on its page" in text_of(admin_client.post(page, typed))
    assert not is_active()

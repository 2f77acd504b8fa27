"""A person who may see, create and change the subscriptions of one company, signed in."""

import pytest
from django.contrib.auth.models import Permission

from logs.cotalker import objectid
from logs.models import Company

from .factories import make_subscription


@pytest.fixture
def company():
    return Company.objects.create(id=objectid.new_objectid(), name="Austral")


@pytest.fixture
def operator(django_user_model, company):
    """May see, create and change the subscriptions of one company."""
    user = django_user_model.objects.create_user("operator")
    codenames = ["view_subscription", "add_subscription", "change_subscription", "view_webhooklog", "add_webhooklog"]
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames, content_type__app_label="logs"))
    company.users.add(user)
    return user


@pytest.fixture
def client(client, operator):
    client.force_login(operator)
    return client


@pytest.fixture
def subscription(company):
    return make_subscription(company, name="Work Orders", code="wo")


@pytest.fixture
def foreign():
    return make_subscription(Company.objects.create(id=objectid.new_objectid()), name="Foreign", code="foreign")

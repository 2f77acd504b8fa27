"""Fixtures of the tests of imports."""

import pytest

from ..factories import make_company


@pytest.fixture
def user(django_user_model):
    """Belongs to the sample's company."""
    user = django_user_model.objects.create_user("operator")
    make_company().users.add(user)
    return user

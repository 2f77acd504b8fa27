"""The URLs to sign in and out. Django's own views expect these names."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from .views import PasswordChange, SignIn

urlpatterns = [
    path("sign-in/", SignIn.as_view(), name="login"),
    path("password/", PasswordChange.as_view(), name="password_change"),
    path("sign-out/", LogoutView.as_view(), name="logout"),
]

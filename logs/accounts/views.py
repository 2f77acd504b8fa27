"""The pages to sign in and to change one's password. sign_in_throttle.py throttles both."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.contrib.auth.views import LoginView, PasswordChangeView
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.urls import reverse_lazy
from django.utils.translation import gettext as _

from ..models import AuditAction, AuditEntry
from .sign_in_throttle import SignInThrottle, forget_attempt, seconds_to_wait


class SignIn(LoginView):
    redirect_authenticated_user = True

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        """The response is the same for every name, so that nobody learns which accounts exist."""
        seconds = seconds_to_wait(self.request)
        if not seconds:
            return super().form_invalid(form)
        context = self.get_context_data(form=form, wait_minutes=-(-seconds // 60))
        answer = self.render_to_response(context, status=429)
        answer["Retry-After"] = str(seconds)
        return answer


class OwnPasswordForm(PasswordChangeForm):
    def __init__(self, user, *args, request: HttpRequest, **options: Any) -> None:
        self.request = request
        super().__init__(user, *args, **options)

    def clean_old_password(self) -> str:
        """A person who finds an open session has as few attempts as on the sign-in page."""
        try:
            SignInThrottle().authenticate(self.request, self.user.get_username())
        except PermissionDenied as error:
            raise ValidationError(_("Too many attempts. Try again in 15 minutes.")) from error
        password = super().clean_old_password()
        forget_attempt(self.request)
        return password


class PasswordChange(PasswordChangeView):
    """Changes one's own password. This ends the person's other sessions."""

    form_class = OwnPasswordForm
    template_name = "password.html"
    success_url = reverse_lazy("preferences")

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"request": self.request}

    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        answer = super().form_valid(form)
        AuditEntry.record(self.request.user, AuditAction.PASSWORD_CHANGED)
        messages.success(
            self.request, _("Your password was changed. You need to sign in again in your other browsers.")
        )
        return answer

    def form_invalid(self, form: PasswordChangeForm) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form), status=422)

"""Every view asks for a login unless it says otherwise; an htmx request is sent to the login page as a whole page."""

from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails


class LoginMiddleware(LoginRequiredMiddleware):
    def handle_no_permission(self, request: HttpRequest, view_func) -> HttpResponse:  # type: ignore[override]
        htmx: HtmxDetails = request.htmx  # type: ignore[attr-defined]  # set by its middleware
        if not htmx:
            return super().handle_no_permission(request, view_func)
        came_from = htmx.current_url_abs_path or "/"
        answer = HttpResponseClientRedirect(redirect_to_login(came_from).url)
        answer.status_code = 401
        return answer

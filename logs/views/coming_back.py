"""The way back to the page on which somebody pressed a button."""

from django.http import HttpRequest
from django.utils.http import url_has_allowed_host_and_scheme


def came_from(request: HttpRequest) -> str:
    """The address that the form or the link has told as `next`; "" where it tells none, or one that leads elsewhere."""
    address = request.POST.get("next") or request.GET.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(address, {request.get_host()}, require_https=request.is_secure())
    is_path = address.startswith("/")  # another text, redirect() takes for the name of a view
    return address if is_ours and is_path else ""

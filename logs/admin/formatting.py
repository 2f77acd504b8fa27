"""Format stored JSON for reading: masked, indented, and cut if it is too long for a page."""

from django.utils.translation import gettext as _

from ..payloads.exact_json import format_value
from ..payloads.masking import mask_json, masked_keys

MAX_SHOWN_LENGTH = 200_000


def format_json(text: str) -> str:
    """Numbers and the order of keys stay as they are stored."""
    shown = format_value(mask_json(text, masked_keys()))
    if len(shown) <= MAX_SHOWN_LENGTH:
        return shown
    return _("%(beginning)s\n… The rest isn’t shown here; open the log on the site.") % {
        "beginning": shown[:MAX_SHOWN_LENGTH]
    }

"""A stored JSON text for the eyes: masked, indented, and cut where it is too long for a page."""

from django.utils.translation import gettext as _

from ..payloads.json_tree import formatted
from ..payloads.masking import mask_json, masked_keys

SHOWN = 200_000


def shown_json(text: str) -> str:
    """Numbers and the order of keys stay as they were read."""
    shown = formatted(mask_json(text, masked_keys()))
    if len(shown) <= SHOWN:
        return shown
    return _("%(beginning)s\n… The rest is left out here; open the log on the site.") % {"beginning": shown[:SHOWN]}

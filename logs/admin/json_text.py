"""A stored JSON text for the eyes: masked, indented, and cut where it is too long for a page."""

import msgspec
from django.utils.translation import gettext as _

from ..masked_keys import masked_keys
from ..payloads.masking import mask_json

SHOWN = 200_000


def shown_json(text: str) -> str:
    """Numbers and the order of keys stay as they were read."""
    shown = msgspec.json.format(mask_json(text, masked_keys()), indent=2)
    if len(shown) <= SHOWN:
        return shown
    return _("%(beginning)s\n… The rest is left out here; open the log on the site.") % {"beginning": shown[:SHOWN]}

"""Which values are masked in this installation: the built-in list and the setting MASKED_KEYS."""

from functools import lru_cache

from django.conf import settings

from .payloads.masking import DEFAULT_MASKED_KEYS, MaskedKeys


def masked_keys() -> MaskedKeys:
    return _masked_keys(tuple(settings.MASKED_KEYS))


@lru_cache(maxsize=8)
def _masked_keys(more: tuple[str, ...]) -> MaskedKeys:
    return MaskedKeys([*DEFAULT_MASKED_KEYS, *more])

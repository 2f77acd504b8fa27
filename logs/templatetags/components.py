"""The components that pages share: back links, notices, badges and empty states.

Fields are `templates/components/_field.html`.
"""

from __future__ import annotations

from dataclasses import dataclass

from django import template
from django.template.base import FilterExpression, NodeList, Parser, Token, token_kwargs
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from ..models import Company
from .ui import icon

register = template.Library()

# For each variant: its icon, and its role. Only an error is read out at once.
_NOTICES = {"": ("info", ""), "info": ("info", "status"), "warning": ("warn", "note"), "danger": ("warn", "alert")}


@register.tag
def notice(parser: Parser, token: Token) -> template.Node:
    """`{% notice "danger" %}text{% actions %}<a class="btn">…</a>{% endnotice %}`: a box about the page or the last action.

    The variant and `{% actions %}` may be left out; `symbol="clock"` and `role="note"` replace those of the variant.
    """
    arguments = token.split_contents()[1:]
    options = token_kwargs([argument for argument in arguments if "=" in argument], parser)
    variant = next((parser.compile_filter(argument) for argument in arguments if "=" not in argument), None)
    content = parser.parse(("actions", "endnotice"))
    actions = None
    if parser.next_token().contents == "actions":
        actions = parser.parse(("endnotice",))
        parser.delete_first_token()
    return _Notice(variant, options, content, actions)


@dataclass
class _Notice(template.Node):
    variant: FilterExpression | None
    options: dict[str, FilterExpression]
    content: NodeList
    actions: NodeList | None

    def render(self, context: template.Context) -> SafeString:
        variant = self.variant.resolve(context) if self.variant else ""
        symbol, role = _NOTICES[variant]
        given = {name: value.resolve(context) for name, value in self.options.items()}
        role = given.get("role", role)
        return format_html(
            '<div class="notice"{}{}>{}<div>{}</div>{}</div>',
            format_html(' data-variant="{}"', variant) if variant else "",
            format_html(' role="{}"', role) if role else "",
            icon(given.get("symbol", symbol)),
            mark_safe(self.content.render(context).strip()),  # noqa: S308  a template's output
            self.actions.render(context) if self.actions else "",
        )


@register.simple_tag
def badge(state: str, text: str, symbol: str = "") -> SafeString:
    """`{% badge "failed" _("Paused") "pause" %}`: a word in the colour of `state`."""
    return format_html('<span class="badge" data-state="{}">{}{}</span>', state, icon(symbol) if symbol else "", text)


@register.simple_tag(takes_context=True)
def belongs_to_company(context: template.Context) -> bool:
    """`{% belongs_to_company as belongs %}`: if not, every list is empty for this account, whatever is stored."""
    user = context["user"]
    return user.is_superuser or Company.objects.visible_to(user).exists()


@register.simple_block_tag
def empty_state(
    content: SafeString, symbol: str, title: str, *, panel: bool = False, level: int = 0, announce: bool = False
) -> SafeString:
    """`{% empty_state "save" _("No views yet") %}…{% endempty_state %}`: says why a page or list is empty, and what to do.

    `panel`: as a box of its own. `level`: of the heading. `announce`: read it out after a swap.
    """
    level = level or (2 if panel else 3)
    return format_html(
        '<div class="{}empty-state">{}<h{}{}>{}</h{}>{}</div>',
        "panel " if panel else "",
        icon(symbol),
        level,
        mark_safe(" data-announce") if announce else "",
        title,
        level,
        content,
    )


@register.simple_tag
def back(address: str, text: object) -> SafeString:
    """`{% back address _("Logs") %}`: above a page's header, the link to the page that it belongs to."""
    return back_row(SafeString(), address, text)


@register.simple_block_tag
def back_row(content: SafeString, address: str, text: object) -> SafeString:
    """`{% back_row address text %}…{% endback_row %}`: the same, with more links beside it."""
    return format_html(
        '<nav class="row small" aria-label="{}"><a class="back-link" href="{}">{}{}</a>{}</nav>',
        _("Back"),
        address,
        icon("left"),
        text,
        content,
    )

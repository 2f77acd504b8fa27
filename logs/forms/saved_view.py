"""The form of a saved view: creates one with its filter, or changes the name and options of an existing one."""

from __future__ import annotations

from django import forms
from django.db.models import Value
from django.db.models.functions import Lower
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ..logsearch.saved_views import MAX_VIEWS, lock_views_of, pin, valid_query
from ..models import SavedView


class SavedViewForm(forms.ModelForm):
    """`SavedViewForm(data, user=request.user)` creates a view; with `instance` it changes one.

    `store()` returns whether it was saved.
    `namesake`: another view of the owner that already has this name.
    `is_navigation_full`: it was saved, but couldn't be pinned.
    """

    query = forms.CharField(required=False, widget=forms.HiddenInput)  # valid_query reports what is wrong with it
    is_pinned = forms.BooleanField(required=False, label=gettext_lazy("Pin it to my navigation"))

    class Meta:
        model = SavedView
        fields = ["name", "query", "is_shared"]
        labels = {"is_shared": gettext_lazy("Share it with my colleagues")}

    def __init__(self, data=None, *, user, instance: SavedView | None = None, initial: dict | None = None) -> None:
        super().__init__(data, instance=instance or SavedView(owner=user), initial=initial)
        self.user = user
        self.namesake: SavedView | None = None
        self.is_navigation_full = False
        self.is_new = instance is None
        if not self.is_new:
            del self.fields["query"]
            self.initial["is_pinned"] = instance in SavedView.objects.pinned_by(user)
        if not user.has_perm("logs.share_savedview"):
            del self.fields["is_shared"]
        self.fields["name"].widget.attrs |= {"class": "input", "autocomplete": "off"}

    def clean_name(self) -> str:
        name = self.cleaned_data["name"]
        others = SavedView.objects.filter(owner=self.instance.owner).exclude(pk=self.instance.pk)
        self.namesake = others.alias(lower=Lower("name")).filter(lower=Lower(Value(name))).first()
        if self.namesake:
            raise forms.ValidationError(_("A view with this name already exists."))
        return name

    def clean_query(self) -> str:
        return valid_query(self.cleaned_data["query"], self.user)

    def clean(self) -> dict:
        if self.is_new and SavedView.objects.filter(owner=self.user).count() >= MAX_VIEWS:
            raise forms.ValidationError(
                _("You already have %(number)s views, the maximum. Delete one first."),
                params={"number": MAX_VIEWS},
            )
        return self.cleaned_data

    @property
    def error_fields(self) -> list[forms.BoundField]:
        return [field for field in self if field.errors and not field.is_hidden]

    def store(self) -> bool:
        """Save the view; False if `errors` says what is wrong."""
        with lock_views_of(self.instance.owner):
            if not self.is_valid():
                return False
            view = self.save()
        if not self.cleaned_data["is_pinned"]:
            view.pinned_by.remove(self.user)
        self.is_navigation_full = self.cleaned_data["is_pinned"] and not pin(view, self.user)
        return True

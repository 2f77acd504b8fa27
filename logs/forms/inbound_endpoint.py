"""The form of a new inbound endpoint."""

from __future__ import annotations

from django import forms

from ..models import Company, InboundEndpoint


class InboundEndpointForm(forms.ModelForm):
    """`InboundEndpointForm(data, user=request.user)`; ingest.credentials.create_endpoint stores its instance."""

    class Meta:
        model = InboundEndpoint
        fields = ["name", "company"]

    def __init__(self, data=None, *, user) -> None:
        super().__init__(data)
        companies = Company.objects.visible_to(user)
        self.fields["company"].queryset = companies  # type: ignore[attr-defined]
        only = list(companies[:2])
        if len(only) == 1:  # there is nothing to choose
            del self.fields["company"]
            self.instance.company = only[0]
        for field in self.fields.values():
            field.widget.attrs |= {"class": "input", "autocomplete": "off"}

    @property
    def error_fields(self) -> list[forms.BoundField]:
        return [field for field in self if field.errors]

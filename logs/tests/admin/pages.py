"""Addresses of the admin site, and what its lists show."""

from __future__ import annotations

from django.urls import reverse


def change_page(row) -> str:
    return reverse(f"admin:logs_{row._meta.model_name}_change", args=[row.pk])


def rows_of(answer) -> list:
    return [str(row.pk) for row in answer.context["cl"].result_list]

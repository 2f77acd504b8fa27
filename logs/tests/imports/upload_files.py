"""Files as a person uploads them."""

from __future__ import annotations

import json

from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from logs.imports import uploads
from logs.models import Import

IMPORTS = reverse("logs:import_list")


def file_of(content: bytes, name: str = "logs.json") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


def lines(*documents: dict) -> bytes:
    return "\n".join(json.dumps(document) for document in documents).encode()


def upload(client, content: bytes, kind: str = "logs", name: str = "logs.json") -> Import:
    """Post a file as a person would, and let the worker's function import it."""
    answer = client.post(IMPORTS, {"kind": kind, "file": file_of(content, name)})
    assert answer.status_code == 303
    imported = Import.objects.latest("pk")
    assert answer["Location"] == imported.get_absolute_url()
    uploads.run_import(imported.pk)
    imported.refresh_from_db()
    return imported

"""What the pages show in the tests of all pages: one of each thing, and values that try to be markup."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from unittest.mock import ANY

from django.urls import reverse
from django.utils import timezone

from logs import objectid
from logs.ingest import uploads
from logs.models import Attempt, Import, Subscription, WebhookLog

from ..factories import COMPANY, import_logs, log_document, make_subscription, sample

HOSTILE = """<script>alert(1)</script>"><img src=x onerror=alert(1)>{{ 7*7 }}"""

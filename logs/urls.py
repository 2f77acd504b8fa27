"""The addresses of the pages. Name, view and template share one stem."""

from django.urls import path, register_converter

from .converters import ObjectIdConverter
from .views import (
    delivery,
    demo,
    doors,
    event_tests,
    imports,
    ingest,
    lanes,
    objects,
    overview,
    payloads,
    redeliveries,
    secrets,
    subscriptions,
    turns,
    webhook_logs,
)

register_converter(ObjectIdConverter, "oid")

app_name = "logs"
urlpatterns = [
    path("", overview.overview, name="overview"),
    path("logs/", webhook_logs.webhook_log_list, name="webhook_log_list"),
    path("logs/<oid:pk>/", webhook_logs.webhook_log_detail, name="webhook_log_detail"),
    path("logs/<oid:pk>/changes/", webhook_logs.webhook_log_detail, {"part": "changes"}, name="webhook_log_changes"),
    path("logs/<oid:pk>/request/", webhook_logs.webhook_log_detail, {"part": "request"}, name="webhook_log_request"),
    path("logs/<oid:pk>/response/", webhook_logs.webhook_log_detail, {"part": "response"}, name="webhook_log_response"),
    path("logs/<oid:pk>/row/", webhook_logs.webhook_log_row, name="webhook_log_row"),
    path("logs/<oid:pk>/status/", webhook_logs.webhook_log_status, name="webhook_log_status"),
    path("logs/<oid:pk>/curl/", payloads.payload_curl, name="payload_curl"),
    path("logs/<oid:pk>/payload.json", payloads.payload_download, name="payload_download"),
    path("logs/<oid:pk>/payload/", payloads.payload_chunk, name="payload_chunk"),
    path("logs/<oid:pk>/payload/raw/", webhook_logs.webhook_log_detail, {"part": "raw"}, name="webhook_log_raw"),
    path("logs/<oid:pk>/payload/value/", payloads.payload_value, name="payload_value"),
    path("logs/<oid:pk>/reveals/", payloads.reveal_create, name="reveal_create"),
    path("logs/<oid:pk>/compare/<oid:other>/", objects.log_compare, name="log_compare"),
    path("objects/<oid:pk>/", objects.object_detail, name="object_detail"),
    path("logs/<oid:pk>/retry/", turns.log_retry, name="log_retry"),
    path("logs/<oid:pk>/skip/", turns.log_skip, name="log_skip"),
    path("logs/<oid:pk>/redeliveries/", redeliveries.redelivery_create, name="redelivery_create"),
    path("logs/<oid:pk>/redeliveries/new/", redeliveries.redelivery_confirm, name="redelivery_confirm"),
    path("subscriptions/", subscriptions.subscription_list, name="subscription_list"),
    path("subscriptions/new/", subscriptions.subscription_create, name="subscription_create"),
    path("subscriptions/code/", subscriptions.subscription_code, name="subscription_code"),
    path("subscriptions/<oid:pk>/", subscriptions.subscription_detail, name="subscription_detail"),
    path("subscriptions/<oid:pk>/edit/", subscriptions.subscription_edit, name="subscription_edit"),
    path("subscriptions/<oid:pk>/lane/", lanes.lane_detail, name="lane_detail"),
    path("subscriptions/<oid:pk>/hold/", lanes.lane_hold, name="lane_hold"),
    path("subscriptions/<oid:pk>/release/", lanes.lane_release, name="lane_release"),
    path("subscriptions/<oid:pk>/waiting/send/", lanes.waiting_send, name="waiting_send"),
    path("subscriptions/<oid:pk>/waiting/skip/", lanes.waiting_skip, name="waiting_skip"),
    path("subscriptions/<oid:pk>/activation/", subscriptions.subscription_activate, name="subscription_activate"),
    path("subscriptions/<oid:pk>/deactivation/", subscriptions.subscription_deactivate, name="subscription_deactivate"),
    path("subscriptions/<oid:pk>/delivery/", delivery.subscription_delivery, name="subscription_delivery"),
    path("subscriptions/<oid:pk>/verdict/", delivery.subscription_verdict, name="subscription_verdict"),
    path("subscriptions/<oid:pk>/secret/", secrets.subscription_secret_rotate, name="subscription_secret_rotate"),
    path(
        "subscriptions/<oid:pk>/secret/reveal/", secrets.subscription_secret_reveal, name="subscription_secret_reveal"
    ),
    path("subscriptions/<oid:pk>/test-events/", event_tests.test_event_create, name="test_event_create"),
    path("doors/", doors.door_list, name="door_list"),
    path("doors/<int:pk>/revocation/", doors.door_revoke, name="door_revoke"),
    path("imports/", imports.import_list, name="import_list"),
    path("imports/<int:pk>/", imports.import_detail, name="import_detail"),
    path("imports/<int:pk>/refused/", imports.import_refused, name="import_refused"),
    path("demo/", demo.demo_delete, name="demo_delete"),
    # Where events come in: no session, a secret in the address or in the header.
    path("in/<str:secret>", ingest.event_receive, name="event_receive"),
    path("api/v3/events", ingest.event_create, name="event_create"),
    path("api/v3/events/test/<oid:pk>", event_tests.test_event_send, name="test_event_send"),
]

"""The addresses of the pages. Name, view and template share one stem."""

from django.urls import path, register_converter

from .converters import ObjectIdConverter
from .views import demo, imports, overview, payloads, redeliveries, subscriptions, webhook_logs

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
    path("logs/<oid:pk>/payload/string/", payloads.payload_string, name="payload_string"),
    path("logs/<oid:pk>/reveals/", payloads.reveal_create, name="reveal_create"),
    path("logs/<oid:pk>/redeliveries/", redeliveries.redelivery_create, name="redelivery_create"),
    path("logs/<oid:pk>/redeliveries/new/", redeliveries.redelivery_confirm, name="redelivery_confirm"),
    path("subscriptions/", subscriptions.subscription_list, name="subscription_list"),
    path("subscriptions/new/", subscriptions.subscription_create, name="subscription_create"),
    path("subscriptions/code/", subscriptions.subscription_code, name="subscription_code"),
    path("subscriptions/<oid:pk>/", subscriptions.subscription_detail, name="subscription_detail"),
    path("subscriptions/<oid:pk>/edit/", subscriptions.subscription_edit, name="subscription_edit"),
    path("subscriptions/<oid:pk>/activation/", subscriptions.subscription_activate, name="subscription_activate"),
    path("subscriptions/<oid:pk>/deactivation/", subscriptions.subscription_deactivate, name="subscription_deactivate"),
    path("imports/", imports.import_list, name="import_list"),
    path("imports/<int:pk>/", imports.import_detail, name="import_detail"),
    path("imports/<int:pk>/refused/", imports.import_refused, name="import_refused"),
    path("demo/", demo.demo_delete, name="demo_delete"),
]

"""The URLs of the pages. Name, view and template share one stem."""

from django.urls import path, register_converter

from .views import (
    demo,
    imports,
    inbound_endpoints,
    incidents,
    live,
    overview,
    palette,
    probes,
    public_logs,
    queues,
    retention,
    saved_views,
)
from .views.api import events, sample_events
from .views.bulk_redeliveries import actions, bulk_redeliveries, create, results
from .views.logs import (
    live_tail,
    objects,
    override,
    payload,
    redelivery,
    selected,
    settle,
    share_links,
    webhook_logs,
)
from .views.subscriptions import delivery, subscriptions


class ObjectIdConverter:
    """ObjectIds in URLs: upper and lower case mean the same."""

    regex = "[0-9a-fA-F]{24}"

    def to_python(self, value: str) -> str:
        return value.lower()

    def to_url(self, value: str) -> str:
        return value


register_converter(ObjectIdConverter, "oid")

app_name = "logs"
urlpatterns = [
    path("healthz", probes.healthz, name="healthz"),
    path("readyz", probes.readyz, name="readyz"),
    path("metrics", probes.metrics, name="metrics"),
    path("", overview.overview, name="overview"),
    path("live/", live.live, name="live"),
    path("logs/", webhook_logs.webhook_log_list, name="webhook_log_list"),
    path("logs/completions/", webhook_logs.webhook_log_completions, name="webhook_log_completions"),
    path("logs/facets/", webhook_logs.webhook_log_facets, name="webhook_log_facets"),
    path("logs/histogram/", webhook_logs.webhook_log_histogram, name="webhook_log_histogram"),
    path("logs/columns/", webhook_logs.log_columns_update, name="log_columns_update"),
    path("logs/tail/", live_tail.webhook_log_tail, name="webhook_log_tail"),
    path("logs/tail/toggle/", live_tail.live_tail_toggle, name="live_tail_toggle"),
    path("logs/<oid:pk>/", webhook_logs.webhook_log_detail, name="webhook_log_detail"),
    path("logs/<oid:pk>/changes/", webhook_logs.webhook_log_detail, {"part": "changes"}, name="webhook_log_changes"),
    path("logs/<oid:pk>/request/", webhook_logs.webhook_log_detail, {"part": "request"}, name="webhook_log_request"),
    path("logs/<oid:pk>/response/", webhook_logs.webhook_log_detail, {"part": "response"}, name="webhook_log_response"),
    path("logs/<oid:pk>/row/", webhook_logs.webhook_log_row, name="webhook_log_row"),
    path("logs/<oid:pk>/status/", webhook_logs.webhook_log_status, name="webhook_log_status"),
    path("logs/<oid:pk>/curl/", payload.payload_curl, name="payload_curl"),
    path("logs/<oid:pk>/payload.json", payload.payload_download, name="payload_download"),
    path("logs/<oid:pk>/payload/", payload.payload_chunk, name="payload_chunk"),
    path("logs/<oid:pk>/payload/raw/", webhook_logs.webhook_log_detail, {"part": "raw"}, name="webhook_log_raw"),
    path(
        "logs/<oid:pk>/payload/indented/",
        webhook_logs.webhook_log_detail,
        {"part": "indented"},
        name="webhook_log_indented",
    ),
    path("logs/<oid:pk>/payload/value/", payload.payload_value, name="payload_value"),
    path("logs/<oid:pk>/reveals/", payload.reveal_create, name="reveal_create"),
    path("logs/<oid:pk>/compare/<oid:other>/", objects.log_compare, name="log_compare"),
    path("objects/<oid:pk>/", objects.object_detail, name="object_detail"),
    path("logs/<oid:pk>/retry/", redelivery.log_retry, name="log_retry"),
    path("logs/<oid:pk>/skip/", redelivery.log_skip, name="log_skip"),
    path("logs/<oid:pk>/settle/", settle.log_settle, name="log_settle"),
    path("logs/<oid:pk>/unsettle/", settle.log_unsettle, name="log_unsettle"),
    path("logs/settle/", selected.selection_settle, name="selection_settle"),
    path("logs/unsettle/", selected.selection_unsettle, name="selection_unsettle"),
    path("logs/skip/", selected.selection_skip, name="selection_skip"),
    path("logs/<oid:pk>/redeliveries/", redelivery.redelivery_create, name="redelivery_create"),
    path("logs/<oid:pk>/redeliveries/new/", redelivery.redelivery_confirm, name="redelivery_confirm"),
    path("logs/<oid:pk>/share-links/", share_links.share_link_list, name="share_link_list"),
    path("share-links/<int:pk>/revoke/", share_links.share_link_revoke, name="share_link_revoke"),
    path("redeliveries/new/", create.bulk_redelivery_new, name="bulk_redelivery_new"),
    path("redeliveries/plan/", create.bulk_redelivery_create, name="bulk_redelivery_create"),
    path("redeliveries/", bulk_redeliveries.bulk_redelivery_list, name="bulk_redelivery_list"),
    path("redeliveries/<int:pk>/", bulk_redeliveries.bulk_redelivery_detail, name="bulk_redelivery_detail"),
    path("redeliveries/<int:pk>/start/", actions.bulk_redelivery_start, name="bulk_redelivery_start"),
    path("redeliveries/<int:pk>/settle/", settle.bulk_redelivery_settle, name="bulk_redelivery_settle"),
    path("redeliveries/<int:pk>/discard/", actions.bulk_redelivery_discard, name="bulk_redelivery_discard"),
    path("redeliveries/<int:pk>/pause/", actions.bulk_redelivery_pause, name="bulk_redelivery_pause"),
    path("redeliveries/<int:pk>/resume/", actions.bulk_redelivery_resume, name="bulk_redelivery_resume"),
    path("redeliveries/<int:pk>/stop/", actions.bulk_redelivery_stop, name="bulk_redelivery_stop"),
    path(
        "redeliveries/<int:pk>/subscriptions/<oid:subscription_id>/exclude/",
        actions.bulk_redelivery_exclude,
        name="bulk_redelivery_exclude",
    ),
    path("redeliveries/<int:pk>/results/", results.bulk_redelivery_results, name="bulk_redelivery_results"),
    path("redeliveries/<int:pk>/results.csv", results.bulk_redelivery_csv, name="bulk_redelivery_csv"),
    path("logs/<oid:pk>/overrides/new/", override.override_create, name="override_create"),
    path("logs/<oid:pk>/overrides/<int:number>/", override.override_detail, name="override_detail"),
    path("saved-views/", saved_views.saved_view_list, name="saved_view_list"),
    path("saved-views/new/", saved_views.saved_view_create, name="saved_view_create"),
    path("saved-views/counts/", saved_views.saved_view_counts, name="saved_view_counts"),
    path("saved-views/<int:pk>/", saved_views.saved_view_edit, name="saved_view_edit"),
    path("saved-views/<int:pk>/filter/", saved_views.saved_view_filter, name="saved_view_filter"),
    path("saved-views/<int:pk>/pin/", saved_views.saved_view_pin, {"is_pinned": True}, name="saved_view_pin"),
    path("saved-views/<int:pk>/unpin/", saved_views.saved_view_pin, {"is_pinned": False}, name="saved_view_unpin"),
    path("saved-views/<int:pk>/delete/", saved_views.saved_view_delete, name="saved_view_delete"),
    path("queues/", queues.queue_index, name="queue_index"),
    path("retention/", retention.retention_detail, name="retention_detail"),
    path("retention/stop/", retention.retention_stop, name="retention_stop"),
    path("retention/confirm/", retention.retention_confirm, name="retention_confirm"),
    path("palette/", palette.palette, name="palette"),
    path("incidents/", incidents.incident_list, name="incident_list"),
    path("incidents/<int:pk>/", incidents.incident_detail, name="incident_detail"),
    path("incidents/<int:pk>/acknowledge/", incidents.incident_acknowledge, name="incident_acknowledge"),
    path("incidents/<int:pk>/assign/", incidents.incident_assign, name="incident_assign"),
    path("incidents/<int:pk>/ignore/", incidents.incident_ignore, name="incident_ignore"),
    path("incidents/<int:pk>/notes/", incidents.incident_note, name="incident_note"),
    path("subscriptions/", subscriptions.subscription_list, name="subscription_list"),
    path("subscriptions/new/", subscriptions.subscription_create, name="subscription_create"),
    path("subscriptions/code/", subscriptions.subscription_code, name="subscription_code"),
    path("subscriptions/<oid:pk>/", subscriptions.subscription_detail, name="subscription_detail"),
    path("subscriptions/<oid:pk>/edit/", subscriptions.subscription_edit, name="subscription_edit"),
    path("subscriptions/<oid:pk>/queue/", queues.queue_detail, name="queue_detail"),
    path("subscriptions/<oid:pk>/queue/pause/", queues.queue_pause, name="queue_pause"),
    path("subscriptions/<oid:pk>/queue/resume/", queues.queue_resume, name="queue_resume"),
    path("subscriptions/<oid:pk>/queue/send/", queues.queue_send_waiting, name="queue_send_waiting"),
    path("subscriptions/<oid:pk>/queue/skip/", queues.queue_skip_waiting, name="queue_skip_waiting"),
    path("subscriptions/<oid:pk>/activate/", subscriptions.subscription_activate, name="subscription_activate"),
    path("subscriptions/<oid:pk>/deactivate/", subscriptions.subscription_deactivate, name="subscription_deactivate"),
    path("subscriptions/<oid:pk>/delivery/", delivery.subscription_delivery, name="subscription_delivery"),
    path("subscriptions/<oid:pk>/url-check/", delivery.subscription_url_check, name="subscription_url_check"),
    path("subscriptions/<oid:pk>/receiver-check/", delivery.receiver_check, name="receiver_check"),
    path("subscriptions/<oid:pk>/secret/", delivery.subscription_secret_rotate, name="subscription_secret_rotate"),
    path(
        "subscriptions/<oid:pk>/secret/reveal/", delivery.subscription_secret_reveal, name="subscription_secret_reveal"
    ),
    path("subscriptions/<oid:pk>/test-events/", sample_events.test_event_create, name="test_event_create"),
    path("inbound-endpoints/", inbound_endpoints.inbound_endpoint_list, name="inbound_endpoint_list"),
    path(
        "inbound-endpoints/<int:pk>/revoke/", inbound_endpoints.inbound_endpoint_revoke, name="inbound_endpoint_revoke"
    ),
    path(
        "inbound-endpoints/<int:pk>/rejected/",
        inbound_endpoints.inbound_endpoint_rejected,
        name="inbound_endpoint_rejected",
    ),
    path(
        "inbound-endpoints/<int:pk>/rejected/<int:event>/",
        inbound_endpoints.inbound_endpoint_rejected_text,
        name="inbound_endpoint_rejected_text",
    ),
    path("imports/", imports.import_list, name="import_list"),
    path("imports/<int:pk>/", imports.import_detail, name="import_detail"),
    path("imports/<int:pk>/cancel/", imports.import_cancel, name="import_cancel"),
    path("imports/<int:pk>/rejected/", imports.import_rejected, name="import_rejected"),
    path("demo/", demo.demo_delete, name="demo_delete"),
    # For the receiver's team, who have no account: anyone with the link sees the log.
    path("shared/<str:token>/", public_logs.shared_log, name="shared_log"),
    path("shared/<str:token>/payload.json", public_logs.shared_payload, name="shared_payload"),
    # Ingest: no session; the secret is in the URL or in a header.
    path("webhooks/in/<str:secret>", events.event_receive, name="event_receive"),
    path("in/<str:secret>", events.event_receive, name="event_receive_short"),  # Cotalker may be configured with it
    path("api/v3/events", events.event_create, name="event_create"),
    path("api/v3/events/test/<oid:pk>", sample_events.test_event_send, name="test_event_send"),
]

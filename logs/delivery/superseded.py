"""Whether a log is superseded: the same subscription has delivered a newer event of the same object (docs/glossary.md)."""

# For a row `log` of logs_webhooklog. Logs are ordered as their events were sent (docs/adr/0001). An event without an object, such
# as a logout, is never superseded. The index `log_delivered` answers both queries, however many logs the object has: it holds
# only delivered logs. It covers all conditions, so PostgreSQL never chooses the queue's index, as it might after an import.
NEWER_WAS_DELIVERED = """EXISTS (
    SELECT FROM logs_webhooklog newer
    WHERE newer.subscription_id = log.subscription_id AND newer.object_id = log.object_id AND newer.object_id <> ''
        AND newer.state = 'delivered' AND newer.created_at >= log.created_at
        AND (newer.created_at, newer.id) > (log.created_at, log.id)
)"""
# The same for many logs, looked up once per object, not per log. For a table `object` of (subscription_id, object_id).
NEWEST_DELIVERED = """
SELECT object.subscription_id, object.object_id, delivered.created_at, delivered.id
FROM object CROSS JOIN LATERAL (
    SELECT newer.created_at, newer.id FROM logs_webhooklog newer
    WHERE newer.subscription_id = object.subscription_id AND newer.object_id = object.object_id AND newer.object_id <> ''
        AND newer.state = 'delivered'
    ORDER BY newer.created_at DESC, newer.id DESC LIMIT 1
) delivered
"""

"""The stale guard: whether a newer event of the same object has been received by the same subscription (domain.md)."""

# Of a row `log` of logs_webhooklog. Logs are ordered as their events were sent (docs/adr/0001); an event that is about no object
# (a logout) is never stale. The index `log_received` answers both, however many logs the object has: it holds only what was
# received. It has all of the conditions, so PostgreSQL never chooses the index of the lane, as it might after an import.
NEWER_WAS_DELIVERED = """EXISTS (
    SELECT FROM logs_webhooklog newer
    WHERE newer.subscription_id = log.subscription_id AND newer.object_id = log.object_id AND newer.object_id <> ''
        AND newer.state = 'succeeded' AND newer.created_at >= log.created_at
        AND (newer.created_at, newer.id) > (log.created_at, log.id)
)"""
# The same of many logs, looked up once for each object and not for each log. Of a table `object` of (subscription_id, object_id).
NEWEST_DELIVERED = """
SELECT object.subscription_id, object.object_id, received.created_at, received.id
FROM object CROSS JOIN LATERAL (
    SELECT newer.created_at, newer.id FROM logs_webhooklog newer
    WHERE newer.subscription_id = object.subscription_id AND newer.object_id = object.object_id AND newer.object_id <> ''
        AND newer.state = 'succeeded'
    ORDER BY newer.created_at DESC, newer.id DESC LIMIT 1
) received
"""

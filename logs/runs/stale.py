"""The stale guard: whether a newer event of the same object has been received by the same subscription (domain.md)."""

# Of a row `log` of logs_webhooklog. Logs are ordered as their events were sent (docs/adr/0001); an event that is about no object
# (a logout) is never stale. The subscription is compared in a way that no index knows: by the index of its lane, the whole lane
# would be walked for each log, as PostgreSQL chooses to do after an import, until it has counted the table.
NEWER_WAS_RECEIVED = """EXISTS (
    SELECT FROM logs_webhooklog newer
    WHERE newer.object_id = log.object_id AND newer.object_id <> '' AND newer.subscription_id || '' = log.subscription_id
        AND newer.state = 'succeeded' AND newer.created_at >= log.created_at
        AND (newer.created_at, newer.id) > (log.created_at, log.id)
)"""
# The same of many logs, looked up once for each object and not for each log. Of a table `object` of (subscription_id, object_id).
NEWEST_RECEIVED = """
SELECT object.subscription_id, object.object_id, received.created_at, received.id
FROM object CROSS JOIN LATERAL (
    SELECT newer.created_at, newer.id FROM logs_webhooklog newer
    WHERE newer.object_id = object.object_id AND newer.object_id <> '' AND newer.subscription_id || '' = object.subscription_id
        AND newer.state = 'succeeded'
    ORDER BY newer.created_at DESC, newer.id DESC LIMIT 1
) received
"""

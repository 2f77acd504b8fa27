"""The SQL statements that record the outcomes of attempts."""

# `after`: how many attempts the log had when it was sent. `number`: the attempt that is written, nearly always the next.
# The lease is locked against a takeover, not against its renewal. Logs are locked before their queues and items, in the order of
# ids. All code that locks several does so; otherwise two transactions could deadlock. A request to another URL adds an attempt,
# and changes nothing that the log shows.
RECORD_OUTCOMES = """
WITH pending AS (
    SELECT * FROM json_to_recordset(%(outcomes)s::json) AS pending (
        log_id text, shard_number smallint, epoch bigint, after integer, number integer, trigger text, actor integer,
        age float8, duration_ms integer, url text, status integer, is_success boolean, response text, headers jsonb,
        is_truncated boolean, cause text, note text, fingerprint text, search text, item_id bigint,
        has_custom_url boolean
    )
), lease AS (
    SELECT number, epoch FROM logs_queueshard WHERE holder = %(holder)s FOR KEY SHARE
), outcome AS MATERIALIZED (
    SELECT pending.*, pending.has_custom_url OR log.state = 'delivered' AND NOT pending.is_success AS kept,
        NOT pending.is_success AND log.attempts_left > 1 AND log.next_attempt_at IS NOT NULL AS again
    FROM pending
    JOIN lease ON lease.number = pending.shard_number AND lease.epoch = pending.epoch
    JOIN logs_webhooklog log ON log.id = pending.log_id AND coalesce(log.attempt_count, 0) = pending.after
    ORDER BY log.id FOR NO KEY UPDATE OF log
), log AS (
    UPDATE logs_webhooklog log SET
        attempt_count = outcome.number,
        attempts_left = log.attempts_left - 1,
        next_attempt_at = CASE WHEN again THEN now() + %(delay)s * interval '1 second' END,
        priority = CASE WHEN again THEN 0 ELSE log.priority END,
        requested_by_id = CASE WHEN again THEN log.requested_by_id END,
        state = CASE
            WHEN outcome.has_custom_url THEN log.state
            WHEN outcome.is_success OR log.state = 'delivered' THEN 'delivered'
            WHEN again THEN 'retrying'
            WHEN log.next_attempt_at IS NULL THEN log.state
            ELSE 'failed'
        END,
        status = CASE WHEN kept THEN log.status ELSE outcome.status END,
        response = CASE WHEN kept THEN log.response ELSE outcome.response END,
        cause = CASE WHEN kept THEN log.cause ELSE outcome.cause END,
        fingerprint = CASE WHEN kept THEN log.fingerprint ELSE outcome.fingerprint END,
        duration_ms = CASE WHEN kept THEN log.duration_ms ELSE outcome.duration_ms END,
        search = CASE WHEN kept THEN log.search ELSE outcome.search::tsvector END
    FROM outcome WHERE log.id = outcome.log_id
    RETURNING outcome.*, log.subscription_id, log.state, log.next_attempt_at IS NULL AS is_finished,
        log.trigger = 'auto' AS is_event
), attempt AS (
    INSERT INTO logs_attempt (log_id, subscription_id, number, trigger, actor_id, started_at, duration_ms, url, status,
        response_headers, response, is_truncated, cause, note)
    SELECT log_id, CASE WHEN NOT has_custom_url THEN subscription_id END, number, trigger, actor,
        now() - age * interval '1 second', duration_ms, url, status, headers, response, is_truncated, cause, note
    FROM log
), item AS (
    UPDATE logs_bulkredeliveryitem item SET attempt_number = log.number, status = log.status, cause = log.cause,
        fingerprint = log.fingerprint, duration_ms = log.duration_ms,
        outcome = CASE WHEN log.is_success THEN 'delivered' WHEN log.is_finished THEN 'failed' ELSE item.outcome END,
        finished_at = CASE WHEN log.is_finished THEN now() END,
        skip_reason = CASE WHEN log.is_finished THEN '' ELSE item.skip_reason END
    FROM log WHERE item.id = log.item_id
), override AS (
    UPDATE logs_redeliveryoverride override SET number = log.number
    FROM log WHERE log.number > log.after + 1 AND override.log_id = log.log_id AND override.number = log.after + 1
), changed AS (
    SELECT queue.id, log.log_id, log.state FROM log JOIN logs_subscription queue ON queue.id = log.subscription_id
    WHERE queue.pause_on_exhausted AND queue.paused_at IS NULL AND log.is_event AND log.state = 'failed'
        OR queue.blocking_log = log.log_id AND log.state = 'delivered'
    ORDER BY queue.id FOR NO KEY UPDATE OF queue
), queue AS (
    UPDATE logs_subscription queue SET
        paused_at = CASE WHEN changed.state = 'failed' THEN now() END,
        blocking_log = CASE WHEN changed.state = 'failed' THEN changed.log_id ELSE '' END,
        blocking_error = ''
    FROM changed WHERE queue.id = changed.id
    RETURNING queue.id, queue.paused_at
)
SELECT log.log_id, stored.queue_version, log.is_finished AND queue.paused_at IS NULL
FROM log JOIN logs_subscription stored ON stored.id = log.subscription_id LEFT JOIN queue ON queue.id = stored.id
"""
# For a log of a bulk redelivery that became superseded while it was queued. The results say why it was not sent.
EXCLUDE_ITEM = """
WITH excluded AS (
    SELECT * FROM json_to_recordset(%(excluded)s::json)
        AS excluded (log_id text, shard_number smallint, epoch bigint, item_id bigint)
), lease AS (
    SELECT number, epoch FROM logs_queueshard WHERE holder = %(holder)s FOR KEY SHARE
), superseded AS MATERIALIZED (
    SELECT log.id, excluded.item_id
    FROM excluded
    JOIN lease ON lease.number = excluded.shard_number AND lease.epoch = excluded.epoch
    JOIN logs_webhooklog log ON log.id = excluded.log_id AND log.next_attempt_at IS NOT NULL
    ORDER BY log.id FOR NO KEY UPDATE OF log
), log AS (
    UPDATE logs_webhooklog log SET next_attempt_at = NULL, requested_by_id = NULL,
        state = CASE WHEN log.state = 'delivered' THEN log.state ELSE 'superseded' END
    FROM superseded WHERE log.id = superseded.id
    RETURNING superseded.*, log.subscription_id
), item AS (
    UPDATE logs_bulkredeliveryitem item SET outcome = 'skipped', skip_reason = 'superseded', finished_at = now()
    FROM log WHERE item.id = log.item_id AND item.outcome = 'queued'
)
SELECT log.id, queue.queue_version, true FROM log JOIN logs_subscription queue ON queue.id = log.subscription_id
"""
# An outcome that can't be recorded pauses its queue alone, until somebody resumes it.
PAUSE_QUEUE = """
UPDATE logs_subscription queue SET paused_at = coalesce(queue.paused_at, now()), blocking_log = %(log_id)s,
    blocking_error = %(error)s, queue_version = queue.queue_version + 1
WHERE queue.id = %(subscription)s AND EXISTS (
    SELECT FROM logs_queueshard
    WHERE holder = %(holder)s AND number = %(shard_number)s AND epoch = %(epoch)s FOR KEY SHARE
)
RETURNING queue.id, queue.queue_version, false
"""

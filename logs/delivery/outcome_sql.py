"""The SQL statements that record the outcomes of attempts."""

# `after`: how many attempts the log had when it was sent. `number`: the attempt that is written, nearly always the next.
# The lease is locked against a takeover, not against its renewal. Logs are locked before their queues and items, in the order of
# ids. All code that locks several does so; otherwise two transactions could deadlock. A request to another URL adds an attempt,
# and changes nothing that the log shows.
RECORD_OUTCOMES = """
WITH told AS (
    SELECT * FROM json_to_recordset(%(outcomes)s::json) AS told (
        log_id text, group_number smallint, epoch bigint, after integer, number integer, trigger text, actor integer, age float8,
        duration_ms integer, url text, status integer, is_success boolean, response text, headers jsonb,
        is_truncated boolean, cause text, note text, fingerprint text, search text, entry bigint,
        is_elsewhere boolean
    )
), lease AS (
    SELECT number, epoch FROM logs_lanegroup WHERE holder = %(holder)s FOR KEY SHARE
), outcome AS MATERIALIZED (
    SELECT told.*, told.is_elsewhere OR log.state = 'succeeded' AND NOT told.is_success AS kept,
        NOT told.is_success AND log.tries_left > 1 AND log.next_attempt_at IS NOT NULL AS again
    FROM told
    JOIN lease ON lease.number = told.group_number AND lease.epoch = told.epoch
    JOIN logs_webhooklog log ON log.id = told.log_id AND coalesce(log.retry, 0) = told.after
    ORDER BY log.id FOR NO KEY UPDATE OF log
), log AS (
    UPDATE logs_webhooklog log SET
        retry = outcome.number,
        tries_left = log.tries_left - 1,
        next_attempt_at = CASE WHEN again THEN now() + %(delay)s * interval '1 second' END,
        turn = CASE WHEN again THEN 0 ELSE log.turn END,
        requested_by_id = CASE WHEN again THEN log.requested_by_id END,
        state = CASE
            WHEN outcome.is_elsewhere THEN log.state
            WHEN outcome.is_success OR log.state = 'succeeded' THEN 'succeeded'
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
    RETURNING outcome.*, log.subscription_id AS lane, log.state, log.next_attempt_at IS NULL AS is_settled,
        log.trigger = 'auto' AS is_event
), attempt AS (
    INSERT INTO logs_attempt (log_id, subscription_id, number, trigger, actor_id, started_at, duration_ms, url, status,
        response_headers, response, is_truncated, cause, note)
    SELECT log_id, CASE WHEN NOT is_elsewhere THEN lane END, number, trigger, actor,
        now() - age * interval '1 second', duration_ms, url, status, headers, response, is_truncated, cause, note
    FROM log
), entry AS (
    UPDATE logs_runentry entry SET attempt_number = log.number, status = log.status, cause = log.cause,
        fingerprint = log.fingerprint, duration_ms = log.duration_ms,
        outcome = CASE WHEN log.is_success THEN 'succeeded' WHEN log.is_settled THEN 'failed' ELSE entry.outcome END,
        settled_at = CASE WHEN log.is_settled THEN now() END, why = CASE WHEN log.is_settled THEN '' ELSE entry.why END
    FROM log WHERE entry.id = log.entry
), variant AS (
    UPDATE logs_variant variant SET number = log.number
    FROM log WHERE log.number > log.after + 1 AND variant.log_id = log.log_id AND variant.number = log.after + 1
), changed AS (
    SELECT lane.id, log.log_id, log.state FROM log JOIN logs_subscription lane ON lane.id = log.lane
    WHERE lane.holds_when_exhausted AND lane.held_at IS NULL AND log.is_event AND log.state = 'failed'
        OR lane.held_log = log.log_id AND log.state = 'succeeded'
    ORDER BY lane.id FOR NO KEY UPDATE OF lane
), lane AS (
    UPDATE logs_subscription lane SET
        held_at = CASE WHEN changed.state = 'failed' THEN now() END,
        held_log = CASE WHEN changed.state = 'failed' THEN changed.log_id ELSE '' END,
        held_error = ''
    FROM changed WHERE lane.id = changed.id
    RETURNING lane.id, lane.held_at
)
SELECT log.log_id, stored.lane_version, log.is_settled AND lane.held_at IS NULL
FROM log JOIN logs_subscription stored ON stored.id = log.lane LEFT JOIN lane ON lane.id = stored.id
"""
# For a log of a bulk redelivery that became superseded while it was queued. It stays as it was, and the results say why.
EXCLUDE_ITEM = """
WITH told AS (
    SELECT * FROM json_to_recordset(%(left_out)s::json) AS told (log_id text, group_number smallint, epoch bigint, entry bigint)
), lease AS (
    SELECT number, epoch FROM logs_lanegroup WHERE holder = %(holder)s FOR KEY SHARE
), stale AS MATERIALIZED (
    SELECT log.id, told.entry
    FROM told
    JOIN lease ON lease.number = told.group_number AND lease.epoch = told.epoch
    JOIN logs_webhooklog log ON log.id = told.log_id AND log.next_attempt_at IS NOT NULL
    ORDER BY log.id FOR NO KEY UPDATE OF log
), log AS (
    UPDATE logs_webhooklog log SET next_attempt_at = NULL, requested_by_id = NULL,
        state = CASE WHEN log.state IN ('pending', 'retrying') THEN 'failed' ELSE log.state END
    FROM stale WHERE log.id = stale.id
    RETURNING stale.*, log.subscription_id AS lane
), entry AS (
    UPDATE logs_runentry entry SET outcome = 'skipped', why = 'stale', settled_at = now()
    FROM log WHERE entry.id = log.entry AND entry.outcome = 'queued'
)
SELECT log.id, lane.lane_version, true FROM log JOIN logs_subscription lane ON lane.id = log.lane
"""
# An outcome that can't be recorded pauses its queue alone, until somebody resumes it.
PAUSE_QUEUE = """
UPDATE logs_subscription lane SET held_at = coalesce(lane.held_at, now()), held_log = %(log_id)s, held_error = %(error)s,
    lane_version = lane.lane_version + 1
WHERE lane.id = %(lane)s AND EXISTS (
    SELECT FROM logs_lanegroup WHERE holder = %(holder)s AND number = %(group_number)s AND epoch = %(epoch)s FOR KEY SHARE
)
RETURNING lane.id, lane.lane_version, false
"""

//! The metrics' names, as `docs/metrics.md` lists them.

#![allow(missing_docs, reason = "`docs/metrics.md` says what each means")]

pub const CONFIG_LAST_RELOAD_SUCCESSFUL: &str = "outbox_sidecar_config_last_reload_successful";
pub const CONFIG_LAST_RELOAD_SUCCESS_TIMESTAMP_SECONDS: &str =
    "outbox_sidecar_config_last_reload_success_timestamp_seconds";
pub const CONFIG_RELOAD_FAILURES_TOTAL: &str = "outbox_sidecar_config_reload_failures_total";
pub const ERRORS_TOTAL: &str = "outbox_sidecar_errors_total";
pub const HORIZON_AGE_SECONDS: &str = "outbox_sidecar_horizon_age_seconds";
pub const INBOX_CONSUMER_LAG: &str = "outbox_sidecar_inbox_consumer_lag";
pub const INBOX_CRASHES_TOTAL: &str = "outbox_sidecar_inbox_crashes_total";
pub const INBOX_DEAD_LETTERS_PRESENT: &str = "outbox_sidecar_inbox_dead_letters_present";
pub const INBOX_DELIVERED_TOTAL: &str = "outbox_sidecar_inbox_delivered_total";
pub const INBOX_DELIVERY_DURATION_SECONDS: &str = "outbox_sidecar_inbox_delivery_duration_seconds";
pub const INBOX_DROPPED_TOTAL: &str = "outbox_sidecar_inbox_dropped_total";
pub const INBOX_DUPLICATES_TOTAL: &str = "outbox_sidecar_inbox_duplicates_total";
pub const INBOX_PARKED_KEYS: &str = "outbox_sidecar_inbox_parked_keys";
pub const INBOX_PURGED_TOTAL: &str = "outbox_sidecar_inbox_purged_total";
pub const INBOX_QUEUED_BYTES: &str = "outbox_sidecar_inbox_queued_bytes";
pub const INBOX_QUEUED_MESSAGES: &str = "outbox_sidecar_inbox_queued_messages";
pub const INBOX_RECEIVED_TOTAL: &str = "outbox_sidecar_inbox_received_total";
pub const INBOX_REDRIVEN_TOTAL: &str = "outbox_sidecar_inbox_redriven_total";
pub const OUTBOX_DEAD_LETTERS_PRESENT: &str = "outbox_sidecar_outbox_dead_letters_present";
pub const OUTBOX_DEAD_LETTERS_TOTAL: &str = "outbox_sidecar_outbox_dead_letters_total";
pub const OUTBOX_LEASED_BUCKETS: &str = "outbox_sidecar_outbox_leased_buckets";
pub const OUTBOX_OLDEST_PENDING_AGE_SECONDS: &str =
    "outbox_sidecar_outbox_oldest_pending_age_seconds";
pub const OUTBOX_PARKED_KEYS: &str = "outbox_sidecar_outbox_parked_keys";
pub const OUTBOX_PARKED_ROWS: &str = "outbox_sidecar_outbox_parked_rows";
pub const OUTBOX_PENDING_ROWS: &str = "outbox_sidecar_outbox_pending_rows";
pub const OUTBOX_PUBLISHED_TOTAL: &str = "outbox_sidecar_outbox_published_total";
pub const OUTBOX_PUBLISH_LATENCY_SECONDS: &str = "outbox_sidecar_outbox_publish_latency_seconds";
pub const OUTBOX_PURGED_TOTAL: &str = "outbox_sidecar_outbox_purged_total";
pub const OUTBOX_RESTORES_TOTAL: &str = "outbox_sidecar_outbox_restores_total";
pub const OUTBOX_RETRIED_TOTAL: &str = "outbox_sidecar_outbox_retried_total";

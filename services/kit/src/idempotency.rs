//! Idempotency keys: a request repeated with the same key has its effect
//! once, and gets the first answer again.
//!
//! The key is written in the transaction of the effect, so there is no moment
//! at which one exists without the other:
//!
//! ```text
//! begin; claim key ── new ──────► effect; keep the answer; commit
//!            │
//!            └─ known ──► same request: the kept answer, `Idempotency-Replayed: true`
//!                         another one:  409
//! ```
//!
//! Where nothing of the effect can be refused for what an earlier request with the key has done,
//! the order may be another, with one write instead of two:
//!
//! ```text
//! begin; find key ── new ──────► effect; keep key and answer; commit
//!            │                                 │
//!            └─ known ──► as above ◄───────────┘ another request with the key was faster
//! ```
//!
//! A request that comes while the first one still runs waits for it. Only
//! answers of requests that had an effect are kept: a refused request may be
//! repeated with the same key.
//!
//! The table, made by the service's own migrations:
//!
//! ```sql
//! CREATE TABLE idempotency_keys (
//!     key         text PRIMARY KEY,
//!     fingerprint bytea NOT NULL,
//!     status      smallint,
//!     body        bytea,
//!     created_at  timestamptz NOT NULL DEFAULT clock_timestamp()
//! );
//! CREATE INDEX idempotency_keys_created_at ON idempotency_keys (created_at);
//! ```

use std::time::Duration;

use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use deadpool_postgres::{GenericClient, Transaction};
use futures::future::join;
use postgres_types::ToSql;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio_postgres::error::SqlState;
use tokio_util::sync::CancellationToken;

use crate::database::{Database, DatabaseError, InTransaction, PipelinedTransaction};
use crate::problem::Problem;
use crate::telemetry::Chain;

/// The request header that carries the key.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The response header that marks a repeated answer.
pub const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The longest key, in bytes.
const MAX_KEY: usize = 255;
/// How long keys are kept at least.
const KEPT_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// How often keys are purged.
const PURGE_INTERVAL: Duration = Duration::from_secs(10 * 60);
/// How many keys one purging statement deletes.
const PURGE_BATCH: i64 = 1000;

/// A key, and what the request that carries it asks for.
#[derive(Clone, Debug)]
pub struct Key {
    key: String,
    /// Of method, path and body: two requests with the same one are the same.
    fingerprint: [u8; 32],
}

impl Key {
    /// The key of a request, if it has one.
    ///
    /// # Errors
    ///
    /// A 400 problem: the key is empty, longer than 255 bytes, or has other
    /// than printable ASCII characters.
    pub fn of_request(parts: &Parts, body: &[u8]) -> Result<Option<Self>, Problem> {
        let Some(value) = parts.headers.get(IDEMPOTENCY_KEY) else {
            return Ok(None);
        };
        // A header may hold a tab, which is not printable.
        let printable = |key: &str| key.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        let bounded = |key: &str| (1..=MAX_KEY).contains(&key.len());
        let key =
            value.to_str().ok().filter(|key| bounded(key) && printable(key)).ok_or_else(|| {
                Problem::invalid_field(
                    "Idempotency-Key",
                    format!("expected 1 to {MAX_KEY} printable ASCII characters"),
                )
            })?;
        let mut digest = Sha256::new();
        for part in [parts.method.as_str().as_bytes(), parts.uri.path().as_bytes()] {
            digest.update(part);
            digest.update([0]);
        }
        digest.update(body);
        Ok(Some(Self { key: key.to_owned(), fingerprint: digest.finalize().into() }))
    }
}

/// An answer that can be kept and given again.
#[derive(Clone, Debug)]
pub struct Reply {
    status: StatusCode,
    body: Bytes,
    replayed: bool,
}

impl Reply {
    /// A JSON answer.
    ///
    /// # Errors
    ///
    /// The body does not serialise.
    pub fn json(status: StatusCode, body: &impl Serialize) -> Result<Self, Problem> {
        Ok(Self {
            status,
            body: serde_json::to_vec(body).map_err(Problem::internal)?.into(),
            replayed: false,
        })
    }

    fn stored_status(&self) -> i16 {
        i16::try_from(self.status.as_u16()).unwrap_or_default()
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if self.replayed {
            headers.insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }
}

/// What is known of a key.
#[derive(Debug)]
pub enum Claim {
    /// Nothing: carry out the request, then [`keep`] its answer.
    New,
    /// The request was carried out before, with this answer.
    Known(Reply),
}

/// Claims a request's key, as the first statement of its transaction. Waits
/// for another transaction that has claimed the same key. A request without a
/// key is always new.
///
/// # Errors
///
/// A 409 problem when the key belongs to another request; the database
/// failed.
pub async fn claim(tx: &Transaction<'_>, key: Option<&Key>) -> Result<Claim, Problem> {
    let Some(key) = key else {
        return Ok(Claim::New);
    };
    let insert = tx
        .prepare_cached(
            "INSERT INTO idempotency_keys (key, fingerprint) VALUES ($1, $2) \
             ON CONFLICT (key) DO NOTHING",
        )
        .await?;
    let fingerprint = key.fingerprint.as_slice();
    if tx.execute(&insert, &[&key.key, &fingerprint]).await? == 1 {
        return Ok(Claim::New);
    }
    find_taken(tx, key).await
}

/// What is known of a request's key so far. A request without a key is always new; so is one
/// whose predecessor has not committed.
///
/// # Errors
///
/// A 409 problem when the key belongs to another request; the database failed.
pub async fn find(tx: &impl InTransaction, key: Option<&Key>) -> Result<Claim, Problem> {
    let Some(key) = key else {
        return Ok(Claim::New);
    };
    let client = tx.client();
    let select = client
        .prepare_cached("SELECT fingerprint, status, body FROM idempotency_keys WHERE key = $1")
        .await?;
    let Some(row) = client.query_opt(&select, &[&key.key]).await? else {
        return Ok(Claim::New);
    };
    if row.try_get::<_, &[u8]>(0)? != key.fingerprint.as_slice() {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "this Idempotency-Key was used for another request; use a new key",
        )
        .typed("idempotency-key-reused", "Idempotency key reused"));
    }
    let status = row
        .try_get::<_, Option<i16>>(1)?
        .and_then(|status| u16::try_from(status).ok())
        .and_then(|status| StatusCode::from_u16(status).ok());
    match (status, row.try_get::<_, Option<Vec<u8>>>(2)?) {
        (Some(status), Some(body)) => {
            Ok(Claim::Known(Reply { status, body: body.into(), replayed: true }))
        }
        _ => Err(Problem::internal("an idempotency key was committed without its answer")),
    }
}

/// What is known of a key that another request has just been found to have.
async fn find_taken(tx: &impl InTransaction, key: &Key) -> Result<Claim, Problem> {
    match find(tx, Some(key)).await? {
        Claim::New => {
            Err(Problem::unavailable("the key was purged at this moment; repeat the request"))
        }
        known => Ok(known),
    }
}

/// Keeps the answer of a request whose key was new, as the last statement of
/// its transaction.
///
/// # Errors
///
/// The database failed.
pub async fn keep(
    tx: &Transaction<'_>,
    key: Option<&Key>,
    reply: &Reply,
) -> Result<(), tokio_postgres::Error> {
    let Some(key) = key else {
        return Ok(());
    };
    let update = tx
        .prepare_cached("UPDATE idempotency_keys SET status = $2, body = $3 WHERE key = $1")
        .await?;
    tx.execute(&update, &[&key.key, &reply.stored_status(), &reply.body.as_ref()]).await?;
    Ok(())
}

/// Keeps the answer of a request of which [`find`] knew nothing, and commits, in one round trip.
/// [`Claim::Known`]: the same request was carried out meanwhile, and this transaction is rolled
/// back.
///
/// # Errors
///
/// A 409 problem when another request has taken the key meanwhile; the database failed.
pub async fn commit(
    tx: &PipelinedTransaction,
    key: Option<&Key>,
    reply: &Reply,
) -> Result<Claim, Problem> {
    let Some(key) = key else {
        tx.commit().await?;
        return Ok(Claim::New);
    };
    let client = tx.client();
    let insert = client
        .prepare_cached(
            "INSERT INTO idempotency_keys (key, fingerprint, status, body) VALUES ($1, $2, $3, $4)",
        )
        .await?;
    let (fingerprint, status) = (key.fingerprint.as_slice(), reply.stored_status());
    let body = reply.body.as_ref();
    let values: [&(dyn ToSql + Sync); 4] = [&key.key, &fingerprint, &status, &body];
    match join(client.execute(&insert, &values), tx.commit()).await {
        (Ok(_), committed) => {
            committed?;
            Ok(Claim::New)
        }
        (Err(err), _) if err.code() == Some(&SqlState::UNIQUE_VIOLATION) => {
            // The commit was a rollback; this reads what is committed.
            find_taken(tx, key).await
        }
        (Err(err), _) => Err(err.into()),
    }
}

/// Deletes keys older than 24 hours, in small batches every ten minutes,
/// until `stop`. Replicas may all do so.
pub async fn purge(database: Database, stop: CancellationToken) {
    let mut interval = tokio::time::interval(PURGE_INTERVAL);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = interval.tick() => {}
        }
        loop {
            match purge_batch(&database, KEPT_FOR).await {
                Ok(0) => break,
                Ok(purged) => tracing::debug!(purged, "idempotency keys purged"),
                Err(err) => {
                    tracing::warn!(error = %Chain(&err), "idempotency keys could not be purged");
                    break;
                }
            }
            if stop.is_cancelled() {
                return;
            }
        }
    }
}

/// Deletes up to 1000 keys older than `age`; says how many.
///
/// # Errors
///
/// The database failed.
pub async fn purge_batch(database: &Database, age: Duration) -> Result<u64, DatabaseError> {
    let client = database.get().await?;
    let deleted = client
        .execute(
            "DELETE FROM idempotency_keys WHERE key IN ( \
                 SELECT key FROM idempotency_keys \
                 WHERE created_at < clock_timestamp() - make_interval(secs => $1) \
                 ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
            &[&age.as_secs_f64(), &PURGE_BATCH],
        )
        .await?;
    Ok(deleted)
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn key(value: &str, path: &str, body: &str) -> Result<Option<Key>, Problem> {
        let (parts, ()) = Request::post(path)
            .header(IDEMPOTENCY_KEY, HeaderValue::from_bytes(value.as_bytes()).unwrap())
            .body(())
            .unwrap()
            .into_parts();
        Key::of_request(&parts, body.as_bytes())
    }

    #[test]
    fn a_key_is_bounded_printable_text() {
        assert!(key(&"k".repeat(255), "/a", "").unwrap().is_some());
        for bad in ["", &"k".repeat(256), "ключ", "a\tb"] {
            assert_eq!(key(bad, "/a", "").unwrap_err().errors()[0].field, "Idempotency-Key");
        }
    }

    #[test]
    fn the_fingerprint_tells_requests_apart() {
        let fingerprint = |path, body| key("k", path, body).unwrap().unwrap().fingerprint;
        assert_eq!(fingerprint("/a", "b"), fingerprint("/a", "b"));
        assert_ne!(fingerprint("/a", "b"), fingerprint("/a", "c"));
        assert_ne!(fingerprint("/a", "b"), fingerprint("/c", "b"));
    }
}

//! The public keys of an issuer: found, kept and renewed.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::http::Uri;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use kit::telemetry::Chain;
use serde_json::Value;
use tokio::sync::Mutex;

use super::document::{Fetcher, Unfetched};
use super::settings::trusted_address;

/// How many times its usual age a key may reach while the issuer is away.
const PATIENCE: u32 = 10;

/// Why there are no keys to verify with.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum KeysUnavailable {
    #[error("the issuer's keys could not be fetched")]
    Unfetched(#[source] Arc<Unfetched>),
    #[error("the issuer's keys could not be fetched a moment ago; it is not asked again so soon")]
    JustFailed,
}

/// A key, and the only algorithm it is for, if its issuer says so.
#[derive(Clone)]
pub(super) struct Key {
    pub(super) decoding: DecodingKey,
    only: Option<KeyAlgorithm>,
}

impl Key {
    /// Whether the issuer means the key for signatures of this algorithm.
    pub(super) fn is_for(&self, algorithm: Algorithm) -> bool {
        // Both enums name the algorithms as the standard does.
        self.only.is_none_or(|only| format!("{only:?}") == format!("{algorithm:?}"))
    }
}

/// The keys of one issuer.
pub(super) struct Keys {
    fetcher: Fetcher,
    issuer: String,
    max_age: Duration,
    min_interval: Duration,
    known: RwLock<Option<Known>>,
    /// When keys were last asked for; locked while they are, so that only one
    /// request asks.
    asked: Mutex<Option<Instant>>,
}

#[derive(Clone)]
struct Known {
    by_id: Arc<HashMap<String, Key>>,
    fetched: Instant,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

impl Keys {
    pub(super) fn new(
        fetcher: Fetcher,
        issuer: String,
        max_age: Duration,
        min_interval: Duration,
    ) -> Self {
        Self {
            fetcher,
            issuer,
            max_age,
            min_interval,
            known: RwLock::default(),
            asked: Mutex::default(),
        }
    }

    /// The key of an id, if the issuer publishes it. An unknown id makes the
    /// keys be asked for, as after a rotation, but not more often than allowed.
    pub(super) async fn get(&self, id: &str) -> Result<Option<Key>, KeysUnavailable> {
        if let Some(key) = self.usable().and_then(|known| known.get(id).cloned()) {
            return Ok(Some(key));
        }
        self.ask(|| self.usable().is_some_and(|known| known.contains_key(id))).await?;
        Ok(self.usable().and_then(|known| known.get(id).cloned()))
    }

    /// Asks for the keys when they are old, for ever: so that no request has
    /// to wait for it, and a key that was withdrawn is soon refused.
    pub(super) async fn keep_fresh(&self) {
        loop {
            let age = self.read().map(|known| known.fetched.elapsed());
            match age {
                Some(age) if age < self.max_age => {
                    tokio::time::sleep(self.max_age.saturating_sub(age)).await;
                }
                _ => {
                    // It has said so in the log.
                    let _ = self.ask(|| self.is_fresh()).await;
                    if !self.is_fresh() {
                        tokio::time::sleep(self.min_interval).await;
                    }
                }
            }
        }
    }

    fn read(&self) -> Option<Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn is_fresh(&self) -> bool {
        self.read().is_some_and(|known| known.fetched.elapsed() < self.max_age)
    }

    /// What tokens may be verified with: old keys are better than none while
    /// the issuer is away, but not for ever.
    fn usable(&self) -> Option<Arc<HashMap<String, Key>>> {
        let known = self.read()?;
        (known.fetched.elapsed() < self.max_age * PATIENCE).then_some(known.by_id)
    }

    /// Asks for the keys, unless someone else has done so until it is this
    /// one's turn and that was enough.
    async fn ask(&self, enough: impl Fn() -> bool) -> Result<(), KeysUnavailable> {
        let mut asked = self.asked.lock().await;
        if enough() {
            return Ok(());
        }
        if asked.is_some_and(|asked| asked.elapsed() < self.min_interval) {
            let any = self.usable().is_some();
            return if any { Ok(()) } else { Err(KeysUnavailable::JustFailed) };
        }
        *asked = Some(Instant::now());
        match self.fetch().await {
            Ok(by_id) => {
                tracing::info!(
                    issuer = self.issuer,
                    keys = by_id.len(),
                    "fetched the issuer's keys"
                );
                let known = Known { by_id: Arc::new(by_id), fetched: Instant::now() };
                *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(known);
                Ok(())
            }
            Err(err) => {
                tracing::warn!(issuer = self.issuer, error = %Chain(&err), "the issuer's keys could not be fetched");
                if self.usable().is_some() {
                    return Ok(());
                }
                Err(KeysUnavailable::Unfetched(Arc::new(err)))
            }
        }
    }

    async fn fetch(&self) -> Result<HashMap<String, Key>, Unfetched> {
        let base = self.issuer.trim_end_matches('/');
        let url = format!("{base}/.well-known/openid-configuration");
        let about: Discovery = self.fetcher.fetch(&address(&url)?).await?;
        if about.issuer != self.issuer {
            return Err(Unfetched::OtherIssuer(about.issuer));
        }
        let set: KeySet = self.fetcher.fetch(&address(&about.jwks_uri)?).await?;
        Ok(set.keys.into_iter().filter_map(readable).collect())
    }
}

/// A key that signatures can be verified with. Others may be in the set, of
/// kinds that are not known here.
fn readable(key: Value) -> Option<(String, Key)> {
    let jwk: Jwk = serde_json::from_value(key).ok()?;
    // A shared secret has no place among public keys.
    let public = !matches!(jwk.algorithm, AlgorithmParameters::OctetKey(_));
    let signs = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
    if !public || !signs {
        return None;
    }
    let decoding = DecodingKey::from_jwk(&jwk).ok()?;
    let id = jwk.common.key_id.unwrap_or_default();
    Some((id, Key { decoding, only: jwk.common.key_algorithm }))
}

fn address(url: &str) -> Result<Uri, Unfetched> {
    trusted_address(url).map_err(|err| Unfetched::Address(err.0))
}

#[derive(serde::Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

#[derive(serde::Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

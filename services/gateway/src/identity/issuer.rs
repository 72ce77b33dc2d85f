//! Tokens of an `OpenID` Connect issuer.

use std::time::Duration;

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, Validation};
use kit::settings::ConfigurationError;
use serde_json::{Map, Value};

use super::document::Fetcher;
use super::keys::Keys;
use super::settings::{AuthSettings, trusted_address};
use super::{Identity, Refused};

/// Verifies the tokens of one issuer with the keys it publishes.
#[derive(Debug)]
pub struct Issuer {
    keys: Keys,
    algorithms: Vec<Algorithm>,
    validation: Validation,
    skew: Duration,
    max_lifetime: Duration,
    user_claim: String,
    roles_claim: String,
    operator_role: String,
}

impl Issuer {
    pub(super) fn new(settings: &AuthSettings) -> Result<Self, ConfigurationError> {
        let issuer = settings.auth_issuer.clone().unwrap_or_default();
        trusted_address(&issuer)?;
        let mut validation = Validation::default();
        validation.set_issuer(&[&issuer]);
        validation.set_audience(&[settings.auth_audience.as_deref().unwrap_or_default()]);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.validate_nbf = true;
        validation.leeway = settings.auth_clock_skew.as_secs();
        let max_age = settings.auth_keys_max_age;
        Ok(Self {
            keys: Keys::new(Fetcher::new()?, issuer, max_age, settings.auth_keys_min_interval),
            algorithms: settings.auth_algorithms.clone(),
            validation,
            skew: settings.auth_clock_skew,
            max_lifetime: settings.auth_max_lifetime,
            user_claim: settings.auth_user_claim.clone(),
            roles_claim: settings.auth_roles_claim.clone(),
            operator_role: settings.auth_operator_role.clone(),
        })
    }

    /// Asks for the issuer's keys before they are old, for ever.
    pub(super) async fn keep_fresh(&self) {
        self.keys.keep_fresh().await;
    }

    pub(super) async fn verify(&self, token: &str) -> Result<Identity, Refused> {
        let header = jsonwebtoken::decode_header(token)?;
        if !self.algorithms.contains(&header.alg) {
            return Err(Refused::Algorithm(header.alg));
        }
        let key = self.keys.get(header.kid.as_deref().unwrap_or_default()).await?;
        let key = key.ok_or(Refused::UnknownKey)?;
        if !key.is_for(header.alg) {
            return Err(Refused::Algorithm(header.alg));
        }
        let mut validation = self.validation.clone();
        // Of another family than the key's, it is refused when decoding.
        validation.algorithms = vec![header.alg];
        let claims: Map<String, Value> =
            jsonwebtoken::decode(token, &key.decoding, &validation)?.claims;
        self.identity(claims)
    }

    fn identity(&self, claims: Map<String, Value>) -> Result<Identity, Refused> {
        let expires_at = claims.get("exp").and_then(instant).ok_or(Refused::Lifetime)?;
        let latest = Timestamp::now()
            .checked_add(self.max_lifetime.saturating_add(self.skew))
            .unwrap_or(Timestamp::MAX);
        if expires_at > latest {
            return Err(Refused::Lifetime);
        }
        let claims = Value::Object(claims);
        let user_id = claim(&claims, &self.user_claim).and_then(user_id);
        let operator = claim(&claims, &self.roles_claim)
            .is_some_and(|roles| names(roles, &self.operator_role));
        if user_id.is_none() && !operator {
            return Err(Refused::Nobody);
        }
        let subject = claims.get("sub").and_then(Value::as_str).map(ToOwned::to_owned);
        Ok(Identity::new(user_id, operator, expires_at, subject))
    }
}

/// A claim by its name, or by a JSON pointer.
fn claim<'a>(claims: &'a Value, name: &str) -> Option<&'a Value> {
    if name.starts_with('/') { claims.pointer(name) } else { claims.get(name) }
}

/// An account's id, exactly: a whole number, or the text of one.
fn user_id(claim: &Value) -> Option<i64> {
    let id = match claim {
        Value::Number(number) => number.as_i64(),
        Value::String(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        _ => None,
    };
    id.filter(|id| *id > 0)
}

fn names(roles: &Value, wanted: &str) -> bool {
    match roles {
        Value::Array(roles) => roles.iter().any(|role| role == wanted),
        Value::String(roles) => roles.split(' ').any(|role| role == wanted),
        _ => false,
    }
}

/// A time in seconds, which may have a fraction.
fn instant(claim: &Value) -> Option<Timestamp> {
    let seconds = match claim.as_i64() {
        Some(seconds) => seconds,
        None => {
            let seconds = claim.as_f64().filter(|seconds| seconds.abs() < 1e12)?;
            #[expect(clippy::cast_possible_truncation, reason = "whole seconds are precise enough")]
            let whole = seconds as i64;
            whole
        }
    };
    Timestamp::from_second(seconds).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_users_id_is_a_whole_number_above_zero() {
        for (claim, expected) in [
            (json!(7), Some(7)),
            (json!("7"), Some(7)),
            (json!(9_007_199_254_740_993_i64), Some(9_007_199_254_740_993)),
            (json!(7.0), None),
            (json!(18_446_744_073_709_551_615_u64), None),
            (json!("7.0"), None),
            (json!("+7"), None),
            (json!(""), None),
            (json!(0), None),
            (json!(-7), None),
            (json!(true), None),
            (json!([7]), None),
            (Value::Null, None),
        ] {
            assert_eq!(user_id(&claim), expected, "{claim}");
        }
    }

    #[test]
    fn roles_are_found_where_issuers_put_them() {
        let claims = json!({
            "roles": ["buyer", "operator"],
            "scope": "openid operator",
            "realm_access": {"roles": ["operator"]},
            "https://shop.example/roles": ["operator"],
            "other": ["operators"],
            "text": "operators",
        });
        let has = |name: &str| claim(&claims, name).is_some_and(|roles| names(roles, "operator"));
        for name in ["roles", "scope", "/realm_access/roles", "https://shop.example/roles"] {
            assert!(has(name), "{name}");
        }
        for name in ["other", "text", "absent", "/realm_access", "/realm_access/absent"] {
            assert!(!has(name), "{name}");
        }
    }
}

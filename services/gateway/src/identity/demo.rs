//! Tokens for trying out, made by the gateway for whoever asks.

use std::time::Duration;

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Identity, Refused};

const ISSUER: &str = "gateway-demo";
const AUDIENCE: &str = "orders-payments-demo";

/// Makes and verifies tokens with a key that lives as long as the process.
pub struct DemoIssuer {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
    lifetime: Duration,
}

#[derive(Debug, Deserialize, Serialize)]
struct Claims {
    iss: String,
    aud: String,
    iat: i64,
    exp: i64,
    user_id: Option<i64>,
    operator: bool,
}

impl std::fmt::Debug for DemoIssuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DemoIssuer").field("lifetime", &self.lifetime).finish_non_exhaustive()
    }
}

impl DemoIssuer {
    pub(super) fn new(lifetime: Duration) -> Self {
        // Each random uuid holds 122 random bits of the system's generator.
        let secret: Vec<u8> = (0..4).flat_map(|_| Uuid::new_v4().into_bytes()).collect();
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        // One clock makes and checks them.
        validation.leeway = 0;
        Self {
            encoding: EncodingKey::from_secret(&secret),
            decoding: DecodingKey::from_secret(&secret),
            validation,
            lifetime,
        }
    }

    /// How long a token is valid.
    pub(crate) fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// A token and when it ends.
    pub(crate) fn issue(
        &self,
        user_id: Option<i64>,
        operator: bool,
    ) -> Result<(String, Timestamp), jsonwebtoken::errors::Error> {
        let now = Timestamp::now().as_second();
        let lifetime = i64::try_from(self.lifetime.as_secs()).unwrap_or(i64::MAX);
        let exp = now.saturating_add(lifetime);
        let (iss, aud) = (ISSUER.to_owned(), AUDIENCE.to_owned());
        let claims = Claims { iss, aud, iat: now, exp, user_id, operator };
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding)?;
        Ok((token, Timestamp::from_second(exp).unwrap_or(Timestamp::MAX)))
    }

    pub(super) fn verify(&self, token: &str) -> Result<Identity, Refused> {
        let claims: Claims = jsonwebtoken::decode(token, &self.decoding, &self.validation)?.claims;
        let Claims { user_id, operator, exp, .. } = claims;
        let expires_at = Timestamp::from_second(exp).map_err(|_| Refused::Lifetime)?;
        Ok(Identity::new(user_id, operator, expires_at, None))
    }
}

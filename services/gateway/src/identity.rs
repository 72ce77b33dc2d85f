//! Who asks: tokens, what they prove, and what that allows.

mod demo;
mod document;
mod issuer;
mod keys;
mod settings;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use kit::Problem;
use kit::settings::ConfigurationError;
use serde::Serialize;

pub(crate) use demo::DemoIssuer;
use issuer::Issuer;
use keys::KeysUnavailable;
pub use settings::{AuthMode, AuthSettings};

use crate::rate_limit::{Limited, RateLimits};
use crate::refusals::{Reason, Refusals};

/// Longer tokens are refused before anything is computed.
const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// Who asks, as a verified token says.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, utoipa::ToSchema)]
pub(crate) struct Identity {
    /// The account that is their own.
    #[schema(required)]
    pub(crate) user_id: Option<i64>,
    /// Whether they see and do everything.
    pub(crate) operator: bool,
    /// When the token ends.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) expires_at: Timestamp,
    /// Names them for limits and for the record of what they did.
    #[serde(skip)]
    pub(crate) subject: Arc<str>,
}

impl Identity {
    fn new(
        user_id: Option<i64>,
        operator: bool,
        expires_at: Timestamp,
        subject: Option<String>,
    ) -> Self {
        let subject = subject.unwrap_or_else(|| match user_id {
            Some(id) => format!("user {id}"),
            None => "operator".to_owned(),
        });
        Self { user_id, operator, expires_at, subject: subject.into() }
    }

    /// Whether what belongs to `user_id` may be seen and changed.
    pub(crate) fn may_act_for(&self, user_id: i64) -> bool {
        self.operator || self.user_id == Some(user_id)
    }
}

/// Why a request has no identity.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("this needs a token: send it as Authorization: Bearer …")]
    Missing,
    #[error("the Authorization header is not a bearer token")]
    Malformed,
    #[error("the token is not valid")]
    Invalid(#[from] jsonwebtoken::errors::Error),
    #[error("the token is signed with {0:?}, which is not accepted here")]
    Algorithm(jsonwebtoken::Algorithm),
    #[error("the token is signed with a key that its issuer does not publish")]
    UnknownKey,
    #[error("the token says not when it ends, or is valid for longer than is accepted here")]
    Lifetime,
    #[error("the token names neither a user nor an operator")]
    Nobody,
    #[error("the keys that tokens are verified with are not available at the moment")]
    Keys(#[from] KeysUnavailable),
}

impl Refused {
    /// The reason's name in metrics.
    fn reason(&self) -> Reason {
        if matches!(self, Self::Keys(_)) {
            Reason::KeysUnavailable
        } else {
            Reason::Unauthenticated
        }
    }

    /// What a client is told to do about it (RFC 6750).
    fn challenge(&self) -> Option<&'static str> {
        match self {
            Self::Keys(_) => None,
            Self::Missing => Some("Bearer"),
            _ => Some("Bearer error=\"invalid_token\""),
        }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        if matches!(refused, Refused::Keys(_)) {
            return Self::unavailable(refused.to_string()).caused_by(refused);
        }
        let expired = matches!(&refused, Refused::Invalid(err)
            if *err.kind() == jsonwebtoken::errors::ErrorKind::ExpiredSignature);
        let detail = if expired { "the token has expired".to_owned() } else { refused.to_string() };
        Self::new(StatusCode::UNAUTHORIZED, detail).coded("unauthenticated").caused_by(refused)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let challenge = self.challenge();
        let mut response = Problem::from(self).into_response();
        if let Some(challenge) = challenge {
            let value = HeaderValue::from_static(challenge);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
        }
        response
    }
}

/// What decides who asks.
#[derive(Debug)]
pub enum Authenticator {
    /// The gateway's own tokens for trying out.
    Demo(Box<DemoIssuer>),
    /// The tokens of an `OpenID` Connect issuer.
    Jwt(Box<Issuer>),
}

impl Authenticator {
    /// As the settings say; warns in the log when that protects nothing.
    ///
    /// # Errors
    ///
    /// Settings that contradict each other or are missing.
    pub fn new(settings: &AuthSettings) -> Result<Self, ConfigurationError> {
        Ok(match settings.checked_mode()? {
            AuthMode::Demo => {
                tracing::warn!(
                    "auth-mode is demo: ANYONE who reaches this gateway can be any user or an operator; not for production"
                );
                Self::Demo(Box::new(DemoIssuer::new(settings.auth_demo_lifetime)))
            }
            AuthMode::Jwt => Self::Jwt(Box::new(Issuer::new(settings)?)),
        })
    }

    /// Does what has to be done from time to time, for ever.
    pub async fn run(&self) {
        match self {
            Self::Demo(_) => std::future::pending().await,
            Self::Jwt(issuer) => issuer.keep_fresh().await,
        }
    }

    async fn verify(&self, token: &str) -> Result<Identity, Refused> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Refused::Malformed);
        }
        match self {
            Self::Demo(demo) => demo.verify(token),
            Self::Jwt(issuer) => issuer.verify(token).await,
        }
    }
}

fn bearer(headers: &HeaderMap) -> Result<&str, Refused> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().ok_or(Refused::Missing)?;
    if values.next().is_some() {
        return Err(Refused::Malformed);
    }
    let (scheme, token) =
        value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or(Refused::Malformed)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Refused::Malformed);
    }
    Ok(token.trim())
}

/// What lets requests in.
#[derive(Clone, Debug)]
pub(crate) struct Entrance {
    pub(crate) authenticator: Arc<Authenticator>,
    pub(crate) limits: Arc<RateLimits>,
    pub(crate) refusals: Refusals,
}

/// Why a request is not let in.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It has no identity.
    Unidentified(Refused),
    /// Its identity asks too often.
    Limited(Limited),
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Unidentified(refused) => refused.into_response(),
            Self::Limited(limited) => Problem::from(limited).into_response(),
        }
    }
}

impl Entrance {
    /// Lets an identity in that has not asked too often: that of `token`, or
    /// else of the headers.
    pub(crate) async fn admit(
        &self,
        headers: &HeaderMap,
        token: Option<&str>,
    ) -> Result<Identity, Refusal> {
        let token = token.map_or_else(|| bearer(headers), Ok);
        let identified = match token {
            Ok(token) => self.authenticator.verify(token).await,
            Err(refused) => Err(refused),
        };
        let identity = identified.map_err(|refused| {
            self.refusals.count(refused.reason());
            Refusal::Unidentified(refused)
        })?;
        self.limits.check_identity(&identity.subject).map_err(|limited| {
            self.refusals.count(Reason::IdentityLimit);
            Refusal::Limited(limited)
        })?;
        Ok(identity)
    }
}

/// Lets only requests with an identity through that has not asked too often,
/// and tells the handlers whose they are.
pub(crate) async fn require(
    State(entrance): State<Entrance>,
    mut request: Request,
    next: Next,
) -> Response {
    let identity = match entrance.admit(request.headers(), None).await {
        Ok(identity) => identity,
        Err(refusal) => return refusal.into_response(),
    };
    // What the token proves is known now; the services have no use for it.
    request.headers_mut().remove(header::AUTHORIZATION);
    request.extensions_mut().insert(identity);
    let response = next.run(request).await;
    if response.status() == StatusCode::FORBIDDEN {
        entrance.refusals.count(Reason::Forbidden);
    }
    response
}

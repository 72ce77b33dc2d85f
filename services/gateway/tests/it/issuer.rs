//! An OpenID Connect issuer: real keys, served over HTTP.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use ring::signature::{KeyPair, RsaKeyPair, RsaPublicKeyComponents};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::harness::serve;

pub(crate) const AUDIENCE: &str = "shop";

/// A key to sign with, and what is published of it.
#[derive(Clone)]
pub(crate) struct SigningKey {
    pub(crate) id: String,
    pub(crate) algorithm: Algorithm,
    private: EncodingKey,
    pub(crate) public: Value,
}

/// The private key of the issuer, made for these tests alone.
pub(crate) const RSA: &str = include_str!("keys/rsa.pem");
/// That of somebody else.
pub(crate) const RSA_OF_A_STRANGER: &str = include_str!("keys/rsa-stranger.pem");

impl SigningKey {
    pub(crate) fn rsa(id: &str, pem: &str) -> Self {
        let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let der = base64::engine::general_purpose::STANDARD.decode(body).unwrap();
        let pair = RsaKeyPair::from_der(&der).unwrap();
        let public = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
        let public = json!({
            "kty": "RSA", "kid": id, "use": "sig", "alg": "RS256",
            "n": URL_SAFE_NO_PAD.encode(&public.n),
            "e": URL_SAFE_NO_PAD.encode(&public.e),
        });
        let private = EncodingKey::from_rsa_der(&der);
        Self { id: id.to_owned(), algorithm: Algorithm::RS256, private, public }
    }

    /// A fresh one.
    pub(crate) fn ec(id: &str) -> Self {
        let pair = rcgen::KeyPair::generate().unwrap();
        let point = pair.public_key_raw();
        let (x, y) = point[1..].split_at(32);
        let encoded = |number: &[u8]| URL_SAFE_NO_PAD.encode(number);
        let public = json!({
            "kty": "EC", "kid": id, "crv": "P-256", "x": encoded(x), "y": encoded(y),
        });
        let private = EncodingKey::from_ec_der(&pair.serialize_der());
        Self { id: id.to_owned(), algorithm: Algorithm::ES256, private, public }
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        let mut header = Header::new(self.algorithm);
        header.kid = Some(self.id.clone());
        jsonwebtoken::encode(&header, claims, &self.private).unwrap()
    }
}

pub(crate) struct Issuer {
    pub(crate) url: String,
    address: SocketAddr,
    keys: Arc<Mutex<Option<Vec<Value>>>>,
    asked: Arc<AtomicUsize>,
    stop: CancellationToken,
}

impl Issuer {
    /// Publishes these keys.
    pub(crate) async fn start(keys: &[&SigningKey], stop: &CancellationToken) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let issuer = Self {
            url: format!("http://{address}/realms/shop"),
            address,
            keys: Arc::default(),
            asked: Arc::default(),
            stop: stop.clone(),
        };
        issuer.publish(keys);
        let (url, shared, asked) =
            (issuer.url.clone(), Arc::clone(&issuer.keys), Arc::clone(&issuer.asked));
        let about = json!({"issuer": url, "jwks_uri": format!("http://{address}/keys")});
        let router = Router::new()
            .route("/realms/shop/.well-known/openid-configuration", get(|| async { Json(about) }))
            .route(
                "/keys",
                get(move || async move {
                    asked.fetch_add(1, Ordering::SeqCst);
                    let keys = shared.lock().unwrap().clone();
                    published(keys)
                }),
            );
        let at = kit::server::Listener::bind("issuer", issuer.address, router).await.unwrap();
        tokio::spawn(at.serve(issuer.stop.clone(), std::time::Duration::ZERO));
        issuer
    }

    pub(crate) fn publish(&self, keys: &[&SigningKey]) {
        let keys = keys.iter().map(|key| key.public.clone()).collect();
        *self.keys.lock().unwrap() = Some(keys);
    }

    /// Publishes something else than keys that are made here.
    pub(crate) fn publish_raw(&self, keys: Vec<Value>) {
        *self.keys.lock().unwrap() = Some(keys);
    }

    /// Answers nothing but errors from now on.
    pub(crate) fn fail(&self) {
        *self.keys.lock().unwrap() = None;
    }

    /// How often it was asked for its keys.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    pub(crate) fn flags(&self) -> [String; 4] {
        [
            "--auth-mode=jwt".to_owned(),
            format!("--auth-issuer={}", self.url),
            format!("--auth-audience={AUDIENCE}"),
            "--auth-keys-min-interval=1s".to_owned(),
        ]
    }

    /// The claims of a good token of user 7.
    pub(crate) fn claims(&self) -> Value {
        let now = jiff::Timestamp::now().as_second();
        json!({
            "iss": self.url, "aud": AUDIENCE, "sub": "somebody",
            "iat": now, "exp": now + 300, "user_id": 7,
        })
    }

    /// The claims of a good token, with some of them changed; null removes one.
    pub(crate) fn claims_with(&self, changes: Value) -> Value {
        let mut claims = self.claims();
        for (name, value) in changes.as_object().unwrap() {
            if value.is_null() {
                claims.as_object_mut().unwrap().remove(name);
            } else {
                claims[name] = value.clone();
            }
        }
        claims
    }
}

fn published(keys: Option<Vec<Value>>) -> Response {
    match keys {
        Some(keys) => Json(json!({"keys": keys})).into_response(),
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// A service that answers whatever is asked.
pub(crate) async fn anything(stop: &CancellationToken) -> SocketAddr {
    serve(Router::new().fallback(|| async { r#"{"user_id":7}"# }), stop).await
}

//! How the gateway knows who asks.

use std::ops::RangeInclusive;
use std::time::Duration;

use axum::http::Uri;
use clap::ValueEnum;
use jsonwebtoken::Algorithm;
use kit::settings::ConfigurationError;

/// How the gateway knows who asks.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum AuthMode {
    /// By the tokens of an `OpenID` Connect issuer.
    Jwt,
    /// By tokens it makes itself for whoever asks; for trying out only.
    Demo,
}

/// How the gateway knows who asks.
#[derive(clap::Args, Clone, Debug)]
pub struct AuthSettings {
    /// How the gateway knows who asks. There is no default, so that nobody
    /// serves other people's money by accident.
    #[arg(long, env = "AUTH_MODE", value_enum)]
    pub auth_mode: Option<AuthMode>,

    /// The issuer of tokens, as their `iss` says; its keys are found by
    /// `OpenID` Connect discovery. https, or http on loopback.
    #[arg(long, env = "AUTH_ISSUER")]
    pub auth_issuer: Option<String>,

    /// What a token's `aud` must name.
    #[arg(long, env = "AUTH_AUDIENCE")]
    pub auth_audience: Option<String>,

    /// The client that pages sign in as, told by /auth/config.
    #[arg(long, env = "AUTH_CLIENT_ID")]
    pub auth_client_id: Option<String>,

    /// Signature algorithms accepted; only ones with public keys can be.
    #[arg(long, env = "AUTH_ALGORITHMS", value_delimiter = ',', default_value = "RS256,ES256")]
    pub auth_algorithms: Vec<Algorithm>,

    /// How far the clocks of issuer and gateway may be apart: at most 5m.
    #[arg(long, env = "AUTH_CLOCK_SKEW", default_value = "30s", value_parser = humantime::parse_duration)]
    pub auth_clock_skew: Duration,

    /// The longest time a token may still be valid for; one that is valid for
    /// longer is refused. From 1m to 30d.
    #[arg(long, env = "AUTH_MAX_LIFETIME", default_value = "24h", value_parser = humantime::parse_duration)]
    pub auth_max_lifetime: Duration,

    /// The claim that holds the user's id, a whole number or its text. A name,
    /// or a JSON pointer such as /shop/user.
    #[arg(long, env = "AUTH_USER_CLAIM", default_value = "user_id")]
    pub auth_user_claim: String,

    /// The claim that holds the roles: an array of texts, or one text with
    /// spaces between them. A name, or a JSON pointer such as
    /// /realm_access/roles.
    #[arg(long, env = "AUTH_ROLES_CLAIM", default_value = "roles")]
    pub auth_roles_claim: String,

    /// The role that sees everything.
    #[arg(long, env = "AUTH_OPERATOR_ROLE", default_value = "operator")]
    pub auth_operator_role: String,

    /// How often the issuer's keys are asked for, from 1m to 24h. Keys of an
    /// issuer that is away are used for ten times as long.
    #[arg(long, env = "AUTH_KEYS_MAX_AGE", default_value = "1h", value_parser = humantime::parse_duration)]
    pub auth_keys_max_age: Duration,

    /// The shortest time between two requests for the issuer's keys, however
    /// many tokens name unknown ones. From 1s to 5m.
    #[arg(long, env = "AUTH_KEYS_MIN_INTERVAL", default_value = "10s", value_parser = humantime::parse_duration)]
    pub auth_keys_min_interval: Duration,

    /// How long the tokens of the demo mode are valid: from 1s to 24h.
    #[arg(long, env = "AUTH_DEMO_LIFETIME", default_value = "1h", value_parser = humantime::parse_duration)]
    pub auth_demo_lifetime: Duration,
}

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const SECOND: Duration = Duration::from_secs(1);

impl AuthSettings {
    /// The mode, when the settings that belong to it fit.
    pub(super) fn checked_mode(&self) -> Result<AuthMode, ConfigurationError> {
        within("--auth-clock-skew", self.auth_clock_skew, Duration::ZERO..=5 * MINUTE)?;
        within("--auth-max-lifetime", self.auth_max_lifetime, MINUTE..=30 * 24 * HOUR)?;
        within("--auth-keys-max-age", self.auth_keys_max_age, MINUTE..=24 * HOUR)?;
        within("--auth-keys-min-interval", self.auth_keys_min_interval, SECOND..=5 * MINUTE)?;
        within("--auth-demo-lifetime", self.auth_demo_lifetime, SECOND..=24 * HOUR)?;
        match self.auth_mode {
            None => Err(bad(
                "--auth-mode (AUTH_MODE) is not set: `jwt` verifies the tokens of an OpenID \
                 Connect issuer (give --auth-issuer and --auth-audience too); `demo`, for trying \
                 out only, gives anyone who asks a token of any user",
            )),
            Some(AuthMode::Demo) if self.auth_issuer.is_some() => {
                Err(bad("--auth-issuer is set, but --auth-mode is not jwt"))
            }
            Some(AuthMode::Demo) => Ok(AuthMode::Demo),
            Some(AuthMode::Jwt) => self.check_jwt().map(|()| AuthMode::Jwt),
        }
    }

    fn check_jwt(&self) -> Result<(), ConfigurationError> {
        let missing = |value: &Option<String>| value.as_deref().is_none_or(str::is_empty);
        if missing(&self.auth_issuer) {
            return Err(bad("--auth-mode=jwt needs --auth-issuer"));
        }
        if missing(&self.auth_audience) {
            return Err(bad("--auth-mode=jwt needs --auth-audience"));
        }
        let symmetric = [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512];
        match self.auth_algorithms.iter().find(|algorithm| symmetric.contains(algorithm)) {
            Some(algorithm) => Err(bad(format!(
                "--auth-algorithms names {algorithm:?}: with it, whoever knows the public key could sign"
            ))),
            None if self.auth_algorithms.is_empty() => Err(bad("--auth-algorithms is empty")),
            None => Ok(()),
        }
    }
}

fn within(
    name: &str,
    value: Duration,
    allowed: RangeInclusive<Duration>,
) -> Result<(), ConfigurationError> {
    if allowed.contains(&value) {
        return Ok(());
    }
    let [value, least, most] =
        [value, *allowed.start(), *allowed.end()].map(humantime::format_duration);
    Err(bad(format!("{name} is {value}, which is not from {least} to {most}")))
}

fn bad(reason: impl Into<String>) -> ConfigurationError {
    ConfigurationError(reason.into())
}

/// An address that keys may be fetched from: https, or http on loopback.
pub(super) fn trusted_address(text: &str) -> Result<Uri, ConfigurationError> {
    let uri: Uri = text.parse().map_err(|err| bad(format!("{text:?} is not a URL: {err}")))?;
    let loopback = matches!(uri.host(), Some("127.0.0.1" | "[::1]" | "localhost"));
    match uri.scheme_str() {
        Some("https") => Ok(uri),
        Some("http") if loopback => Ok(uri),
        _ => Err(bad(format!("{text:?} must be an https URL (http only on loopback)"))),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        auth: AuthSettings,
    }

    fn refusal(flags: &[&str]) -> String {
        let line = Line::try_parse_from(["gateway"].iter().chain(flags)).unwrap();
        line.auth.checked_mode().unwrap_err().to_string()
    }

    #[test]
    fn the_mode_must_be_chosen_and_its_settings_must_fit() {
        const JWT: [&str; 3] = ["--auth-mode=jwt", "--auth-issuer=https://a", "--auth-audience=b"];
        let with = |flag: &'static str| refusal(&[&JWT[..], &[flag]].concat());
        for (said, expected) in [
            (refusal(&[]), "`jwt`"),
            (refusal(&[]), "`demo`"),
            (refusal(&JWT[..1]), "needs --auth-issuer"),
            (refusal(&JWT[..2]), "needs --auth-audience"),
            (refusal(&["--auth-mode=demo", "--auth-issuer=https://a"]), "not jwt"),
            (with("--auth-algorithms=RS256,HS256"), "HS256"),
            (with("--auth-clock-skew=1h"), "from 0s to 5m"),
            (with("--auth-max-lifetime=1s"), "from 1m to 30days"),
            (with("--auth-keys-max-age=0s"), "from 1m"),
        ] {
            assert!(said.contains(expected), "{said}");
        }
    }

    #[test]
    fn keys_come_over_tls_or_from_this_machine() {
        for good in ["https://issuer.example/a", "http://127.0.0.1:80", "http://[::1]:80"] {
            assert!(trusted_address(good).is_ok(), "{good}");
        }
        for bad in ["http://issuer.example", "issuer.example", "ftp://127.0.0.1", ""] {
            assert!(trusted_address(bad).is_err(), "{bad}");
        }
    }
}

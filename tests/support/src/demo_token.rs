//! Signing in at a gateway that runs with `auth-mode: demo`.

use serde::Deserialize;
use serde_json::json;

/// The token of an operator, who sees and does everything.
///
/// # Errors
/// The gateway cannot be reached, or gives no token.
pub async fn of_operator(http: &reqwest::Client, gateway: &str) -> reqwest::Result<String> {
    ask(http, gateway, &json!({ "operator": true })).await
}

/// The token of a user.
///
/// # Errors
/// The gateway cannot be reached, or gives no token.
pub async fn of_user(http: &reqwest::Client, gateway: &str, user: i64) -> reqwest::Result<String> {
    ask(http, gateway, &json!({ "user_id": user })).await
}

async fn ask(
    http: &reqwest::Client,
    gateway: &str,
    wanted: &serde_json::Value,
) -> reqwest::Result<String> {
    #[derive(Deserialize)]
    struct Issued {
        token: String,
    }
    let url = format!("{}/auth/demo-token", gateway.trim_end_matches('/'));
    let answer = http.post(url).json(wanted).send().await?.error_for_status()?;
    answer.json::<Issued>().await.map(|issued| issued.token)
}

//! A client that repeats what may not have arrived, under the same key.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, bail};
use reqwest::{Method, StatusCode};
use rust_decimal::Decimal;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use test_support::demo_token;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

/// How long a request is repeated while the shop is partly down, unless told otherwise.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long one attempt may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(15);

/// A client of one gateway in demo mode, as an operator; clones share its connections.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    patience: Duration,
    outages: Arc<Mutex<Vec<String>>>,
    token: Arc<Mutex<Option<String>>>,
}

/// An order as the API shows it.
#[derive(Clone, Debug, Deserialize)]
pub struct Order {
    /// Its id.
    pub id: Uuid,
    /// Who ordered.
    pub user_id: i64,
    /// What it costs.
    #[serde(deserialize_with = "exact")]
    pub amount: Decimal,
    /// `NEW`, `FINISHED` or `CANCELLED`.
    pub status: String,
    /// Why it was cancelled.
    pub reason: Option<String>,
}

/// A line of an account's ledger.
#[derive(Clone, Debug, Deserialize)]
pub struct LedgerEntry {
    /// `opening`, `top_up`, `withdrawal` or `payment`.
    pub kind: String,
    /// Signed.
    #[serde(deserialize_with = "exact")]
    pub amount: Decimal,
    /// The balance once this was booked.
    #[serde(deserialize_with = "exact")]
    pub balance_after: Decimal,
    /// The order a payment is for.
    pub order_id: Option<Uuid>,
}

/// A balance.
#[derive(Clone, Debug, Deserialize)]
pub struct Account {
    /// Whose.
    pub user_id: i64,
    /// How much.
    #[serde(deserialize_with = "exact")]
    pub balance: Decimal,
}

#[derive(Deserialize)]
struct Page<T> {
    items: Vec<T>,
    next: Option<String>,
}

impl Order {
    /// Whether its status will not change any more.
    pub fn is_final(&self) -> bool {
        matches!(self.status.as_str(), "FINISHED" | "CANCELLED")
    }
}

impl Client {
    /// A client of the gateway at `base`, e.g. `http://127.0.0.1:8080`.
    ///
    /// # Errors
    /// The HTTP client cannot be set up.
    pub fn new(base: impl Into<String>) -> anyhow::Result<Self> {
        Self::with(base, reqwest::Client::builder())
    }

    /// The same with settings of one's own for the connections, such as where a
    /// host name leads.
    ///
    /// # Errors
    /// The HTTP client cannot be set up.
    pub fn with(base: impl Into<String>, http: reqwest::ClientBuilder) -> anyhow::Result<Self> {
        let http = http
            .timeout(ATTEMPT_TIMEOUT)
            .no_proxy()
            .build()
            .context("cannot set up the HTTP client")?;
        let base = base.into().trim_end_matches('/').to_owned();
        Ok(Self { http, base, patience: PATIENCE, outages: Arc::default(), token: Arc::default() })
    }

    /// Repeats a request for so long while the shop is partly down.
    #[must_use]
    pub fn patient(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Every attempt so far that had to be repeated, and why; but for those with a token of another
    /// gateway, as one in demo mode takes only its own.
    pub fn outages(&self) -> Vec<String> {
        self.outages.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Opens an account.
    ///
    /// # Errors
    /// The shop refuses, or stays away.
    pub async fn open_account(&self, user: i64, balance: Decimal) -> anyhow::Result<()> {
        let body = format!(r#"{{"user_id":{user},"balance":{balance}}}"#);
        self.send(Method::POST, "/users", body).await.map(|_: serde_json::Value| ())
    }

    /// Adds to a balance; a negative change withdraws.
    ///
    /// # Errors
    /// The shop refuses, or stays away.
    pub async fn change_balance(&self, user: i64, change: Decimal) -> anyhow::Result<Account> {
        let body = format!(r#"{{"balance_change":{change}}}"#);
        self.send(Method::PATCH, &format!("/users/{user}"), body).await
    }

    /// Places an order.
    ///
    /// # Errors
    /// The shop refuses, or stays away.
    pub async fn place_order(&self, user: i64, amount: Decimal) -> anyhow::Result<Order> {
        let body = format!(r#"{{"user_id":{user},"amount":{amount},"description":"burst"}}"#);
        self.send(Method::POST, "/orders", body).await
    }

    /// An order.
    ///
    /// # Errors
    /// There is none, or the shop stays away.
    pub async fn order(&self, id: Uuid) -> anyhow::Result<Order> {
        self.get(&format!("/orders/{id}")).await
    }

    /// A balance.
    ///
    /// # Errors
    /// There is no such account, or the shop stays away.
    pub async fn account(&self, user: i64) -> anyhow::Result<Account> {
        self.get(&format!("/users/{user}")).await
    }

    /// All orders of a user, newest first.
    ///
    /// # Errors
    /// The shop stays away.
    pub async fn orders(&self, user: i64) -> anyhow::Result<Vec<Order>> {
        self.pages(&format!("/orders/user/{user}")).await
    }

    /// The whole ledger of an account, newest first.
    ///
    /// # Errors
    /// There is no such account, or the shop stays away.
    pub async fn ledger(&self, user: i64) -> anyhow::Result<Vec<LedgerEntry>> {
        self.pages(&format!("/users/{user}/ledger")).await
    }

    /// The order once its status is final.
    ///
    /// # Errors
    /// It is not within `deadline`.
    pub async fn settled(
        &self,
        id: Uuid,
        deadline: Duration,
        pause: Duration,
    ) -> anyhow::Result<Order> {
        let end = Instant::now() + deadline;
        loop {
            let order = self.order(id).await?;
            if order.is_final() {
                return Ok(order);
            }
            if Instant::now() > end {
                bail!("order {id} is still {} after {deadline:?}", order.status);
            }
            sleep(pause).await;
        }
    }

    async fn pages<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<Vec<T>> {
        let (mut items, mut after) = (Vec::new(), String::new());
        loop {
            let page: Page<T> = self.get(&format!("{path}?limit=200{after}")).await?;
            items.extend(page.items);
            match page.next {
                Some(next) => after = format!("&after={next}"),
                None => return Ok(items),
            }
        }
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.send(Method::GET, path, String::new()).await
    }

    async fn token(&self) -> reqwest::Result<String> {
        let known = self.token.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(token) = known {
            return Ok(token);
        }
        let token = demo_token::of_operator(&self.http, &self.base).await?;
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
        Ok(token)
    }

    /// Asks for another token next time, unless someone already has.
    fn forget(&self, token: Option<&str>) {
        let mut known = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        if known.as_deref() == token {
            *known = None;
        }
    }

    /// Repeats a request until it is answered by more than an outage. The key
    /// stays the same, so that it takes effect once.
    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: String,
    ) -> anyhow::Result<T> {
        let key = Uuid::new_v4().to_string();
        let end = Instant::now() + self.patience;
        let mut pause = Duration::from_millis(20);
        loop {
            let token = self.token().await;
            let mut request = self.http.request(method.clone(), format!("{}{path}", self.base));
            if let Ok(token) = &token {
                request = request.bearer_auth(token);
            }
            if method != Method::GET {
                request = request
                    .header("Idempotency-Key", &key)
                    .header("Content-Type", "application/json")
                    .body(body.clone());
            }
            let mut is_outage = true;
            let problem = match request.send().await {
                // The gateway is away, or another than gave the token, with a key of its own: while
                // one takes another's place, either may answer.
                Ok(response) if response.status() == StatusCode::UNAUTHORIZED => {
                    self.forget(token.as_deref().ok());
                    is_outage = token.is_err();
                    token.map_or_else(
                        |err| err.to_string(),
                        |_| "the token is not valid any more".to_owned(),
                    )
                }
                Ok(response)
                    if response.status().is_server_error()
                        || response.status() == StatusCode::TOO_MANY_REQUESTS =>
                {
                    let status = response.status();
                    format!("{status} {}", response.text().await.unwrap_or_default())
                }
                Ok(response) => {
                    let status = response.status();
                    match response.text().await {
                        Ok(text) if status.is_success() => {
                            return serde_json::from_str(&text)
                                .with_context(|| format!("{method} {path} answered {text}"));
                        }
                        Ok(text) => bail!("{method} {path} {body} is refused: {status} {text}"),
                        // The answer was cut off; the key tells what it was.
                        Err(error) => error.to_string(),
                    }
                }
                Err(error) => error.to_string(),
            };
            if Instant::now() > end {
                bail!("{method} {path} fails for {:?}: {problem}", self.patience);
            }
            if is_outage {
                self.outages
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(format!("{method} {path}: {problem}"));
            }
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(500));
        }
    }
}

/// A JSON number, digit for digit.
fn exact<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
    let number = <Box<RawValue>>::deserialize(deserializer)?;
    number.get().parse().map_err(serde::de::Error::custom)
}

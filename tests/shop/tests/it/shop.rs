//! A shop for a test, and what one does with it.

use std::sync::Mutex;
use std::time::Duration;

use rdkafka::{
    ClientConfig, Message as _,
    consumer::{Consumer as _, StreamConsumer},
    message::{Header, Headers as _, OwnedHeaders, OwnedMessage},
    producer::{FutureProducer, FutureRecord},
};
use reqwest::Method;
use test_support::{
    answer::Answer,
    demo_token,
    kafka::Server,
    shop::{Shop, ShopOptions},
    wait,
};
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

/// Generous: a busy machine is no failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

pub(crate) const TASKS: &str = "order_payment_tasks";
pub(crate) const UPDATES: &str = "payment_status_updates";

/// A shop of the test's own, on the shared servers.
pub(crate) struct TestShop {
    pub(crate) shop: Shop,
    pub(crate) prefix: String,
    http: reqwest::Client,
    /// An operator's; anew when the gateway was.
    token: Mutex<String>,
}

impl TestShop {
    pub(crate) async fn start() -> Self {
        Self::with(ShopOptions::on_shared_servers().await).await
    }

    pub(crate) async fn with(options: ShopOptions) -> Self {
        let prefix = options.prefix.clone();
        let shop = Shop::start(options).await.unwrap();
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        let token = Mutex::new(sign_in(&http, &shop).await);
        Self { shop, prefix, http, token }
    }

    /// A token of an operator.
    pub(crate) fn token(&self) -> String {
        self.token.lock().unwrap().clone()
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: &str) -> Answer {
        self.send_with_key(method, path, body, None).await
    }

    pub(crate) async fn send_with_key(
        &self,
        method: Method,
        path: &str,
        body: &str,
        key: Option<&str>,
    ) -> Answer {
        let answer = self.attempt(method.clone(), path, body, key).await;
        if answer.status != 401 {
            return answer;
        }
        // The gateway was started again, with a key of its own.
        let token = sign_in(&self.http, &self.shop).await;
        *self.token.lock().unwrap() = token;
        self.attempt(method, path, body, key).await
    }

    async fn attempt(&self, method: Method, path: &str, body: &str, key: Option<&str>) -> Answer {
        let url = format!("{}{path}", self.shop.gateway_url());
        let mut request = self.http.request(method, url).bearer_auth(self.token());
        if !body.is_empty() {
            request = request.header("content-type", "application/json").body(body.to_owned());
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        Answer::of(request).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, "").await
    }

    pub(crate) async fn open_account(&self, user: i64, balance: &str) {
        let answer = self
            .send(Method::POST, "/users", &format!(r#"{{"user_id":{user},"balance":{balance}}}"#))
            .await;
        assert_eq!(answer.status, 201, "{answer:?}");
    }

    /// The balance, digit for digit.
    pub(crate) async fn balance(&self, user: i64) -> String {
        let answer = self.get(&format!("/users/{user}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        number(&answer.text, "balance")
    }

    /// Places an order; its id.
    pub(crate) async fn order(&self, user: i64, amount: &str) -> Uuid {
        let answer = self
            .send(Method::POST, "/orders", &format!(r#"{{"user_id":{user},"amount":{amount}}}"#))
            .await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()["id"].as_str().unwrap().parse().unwrap()
    }

    /// The order once it is final: status and reason.
    pub(crate) async fn settled(&self, id: Uuid) -> (String, Option<String>) {
        wait::until("the order is final", PATIENCE, || async {
            let answer = self.get(&format!("/orders/{id}")).await;
            let order = answer.json();
            let status = order["status"].as_str()?.to_owned();
            (status != "NEW").then(|| (status, order["reason"].as_str().map(str::to_owned)))
        })
        .await
    }

    pub(crate) async fn database(&self, service: &str) -> Client {
        let (client, connection) =
            tokio_postgres::connect(self.shop.database_url(service).unwrap(), NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    pub(crate) fn topic(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Sends a message as if another service had.
    pub(crate) async fn produce(
        &self,
        topic: &str,
        key: &str,
        event_type: &str,
        payload: &[u8],
    ) -> Uuid {
        let id = Uuid::new_v4();
        self.produce_as(id, topic, key, event_type, payload).await;
        id
    }

    pub(crate) async fn produce_as(
        &self,
        id: Uuid,
        topic: &str,
        key: &str,
        event_type: &str,
        payload: &[u8],
    ) {
        let producer: FutureProducer = self.shop.kafka().client_config().create().unwrap();
        let (topic, id) = (self.topic(topic), id.to_string());
        let headers = OwnedHeaders::new()
            .insert(Header { key: "id", value: Some(&id) })
            .insert(Header { key: "type", value: Some(event_type) });
        producer
            .send(FutureRecord::to(&topic).key(key).payload(payload).headers(headers), PATIENCE)
            .await
            .unwrap();
    }

    /// Every message of a topic from its start, until there are so many.
    pub(crate) async fn read(&self, topic: &str, count: usize) -> Vec<OwnedMessage> {
        let consumer: StreamConsumer = ClientConfig::new()
            .set("bootstrap.servers", self.shop.kafka().bootstrap())
            .set("group.id", Server::unique("reader"))
            .set("auto.offset.reset", "earliest")
            .set("enable.auto.commit", "false")
            .set("topic.metadata.refresh.interval.ms", "500")
            .create()
            .unwrap();
        consumer.subscribe(&[&self.topic(topic)]).unwrap();
        let mut messages = Vec::new();
        let end = tokio::time::Instant::now() + PATIENCE;
        while messages.len() < count {
            let message = tokio::time::timeout_at(end, consumer.recv()).await;
            let read = messages.len();
            // The topic may be too young for the consumer to know it.
            let Ok(message) = message.unwrap_or_else(|_| panic!("{read} messages, not {count}"))
            else {
                continue;
            };
            messages.push(message.detach());
        }
        messages
    }

    /// A metric's value, summed over all its labels.
    pub(crate) async fn metric(&self, program: &str, name: &str) -> f64 {
        let url = format!("{}/metrics", self.shop.admin_url(program).unwrap());
        let text = self.http.get(url).send().await.unwrap().text().await.unwrap();
        text.lines()
            .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])))
            .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
            .sum()
    }

    pub(crate) async fn admin(&self, program: &str, path: &str) -> Answer {
        let url = format!("{}{path}", self.shop.admin_url(program).unwrap());
        Answer::of(self.http.get(url)).await
    }
}

async fn sign_in(http: &reqwest::Client, shop: &Shop) -> String {
    demo_token::of_operator(http, &shop.gateway_url()).await.unwrap()
}

/// A member's number as it is written in the text: no float in between.
pub(crate) fn number(json: &str, member: &str) -> String {
    let start =
        json.find(&format!("\"{member}\":")).unwrap_or_else(|| panic!("no {member} in {json}"));
    let value = &json[start + member.len() + 3..];
    let end = value.find([',', '}']).unwrap();
    value[..end].trim().to_owned()
}

pub(crate) fn header(message: &OwnedMessage, name: &str) -> Option<String> {
    let header = message.headers()?.iter().find(|header| header.key == name)?;
    Some(String::from_utf8(header.value?.to_vec()).unwrap())
}

pub(crate) fn payload(message: &OwnedMessage) -> String {
    String::from_utf8(message.payload().unwrap().to_vec()).unwrap()
}

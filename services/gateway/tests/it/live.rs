//! Live updates over real sockets.

use std::sync::LazyLock;
use std::time::Duration;

use axum::http::{HeaderValue, Method};
use futures::future::join_all;
use futures::{SinkExt, StreamExt};
use jsonschema::Validator;
use serde_json::{Value, json};
use test_support::answer::Answer;
use test_support::wait::until;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};
use uuid::Uuid;

use crate::harness::Gateway;

const PATIENCE: Duration = Duration::from_secs(30);

/// `LiveMessage` of the description of the API.
static DESCRIBED: LazyLock<Validator> = LazyLock::new(|| {
    let mut document: Value = serde_json::from_str(gateway::documentation::DOCUMENT).unwrap();
    document["$ref"] = json!("#/components/schemas/LiveMessage");
    jsonschema::draft202012::new(&document).unwrap()
});

struct Client(WebSocketStream<TcpStream>);

impl Client {
    /// Connects and is greeted.
    async fn connect(gateway: &Gateway, token: &str) -> Self {
        let (client, hello) = Self::resume(gateway, token, None).await;
        assert_eq!(hello["resumed"], false);
        client
    }

    async fn resume(gateway: &Gateway, token: &str, after: Option<&str>) -> (Self, Value) {
        let stream = TcpStream::connect(gateway.address).await.unwrap();
        let mut client = Self::over(stream, gateway, token, after, &[]).await.unwrap();
        let hello = client.told().await;
        assert_eq!(hello["type"], "hello", "{hello}");
        (client, hello)
    }

    async fn over(
        stream: TcpStream,
        gateway: &Gateway,
        token: &str,
        after: Option<&str>,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, Error> {
        let query = after.map(|id| format!("?last_event_id={id}")).unwrap_or_default();
        let url = format!("ws://{}/ws{query}", gateway.address);
        let mut request = url.into_client_request().unwrap();
        let protocols = format!("shop.v1, bearer.{token}");
        let protocols = HeaderValue::from_str(&protocols).unwrap();
        request.headers_mut().insert("sec-websocket-protocol", protocols);
        for (name, value) in headers {
            request.headers_mut().insert(*name, HeaderValue::from_str(value).unwrap());
        }
        let (socket, response) = client_async(request, stream).await?;
        assert_eq!(response.headers()["sec-websocket-protocol"], "shop.v1");
        Ok(Self(socket))
    }

    async fn next(&mut self) -> Message {
        timeout(PATIENCE, self.0.next()).await.unwrap().unwrap().unwrap()
    }

    /// The next message but heartbeats.
    async fn told(&mut self) -> Value {
        loop {
            let Message::Text(text) = self.next().await else { continue };
            let message: Value = serde_json::from_str(&text).unwrap();
            DESCRIBED.validate(&message).unwrap_or_else(|err| panic!("{message}: {err}"));
            if message["type"] != "ping" {
                return message;
            }
        }
    }

    async fn say(&mut self, message: impl Into<Message>) {
        self.0.send(message.into()).await.unwrap();
    }

    /// Whatever is told until the end; the code and the reason of that.
    async fn end(mut self) -> (CloseCode, String) {
        loop {
            if let Message::Close(frame) = self.next().await {
                let frame = frame.unwrap();
                return (frame.code, frame.reason.to_string());
            }
        }
    }
}

/// An order's event, as the orders service publishes it.
fn order(id: Uuid, user_id: i64, status: &str) -> Value {
    event(
        id,
        &format!("order.{}", status.to_lowercase()),
        json!({
            "order_id": "0191d2c2-0000-7000-8000-000000000001", "user_id": user_id, "status": status,
            "reason": null, "amount": 12.5, "at": "2026-11-22T12:36:33.123456Z",
        }),
    )
}

fn event(id: Uuid, kind: &str, data: Value) -> Value {
    json!({
        "specversion": "1.0", "id": id, "source": "/kafka/order_events", "type": kind,
        "subject": "1", "time": "2026-11-22T12:36:33Z", "data": data,
    })
}

/// Delivers events as the sidecar does; the results.
async fn deliver(gateway: &Gateway, events: &[Value]) -> Vec<Value> {
    let request = reqwest::Client::new()
        .post(format!("http://{}/inbox", gateway.inbox))
        .header("content-type", "application/cloudevents-batch+json")
        .body(Value::from(events).to_string());
    let answer = Answer::of(request).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["results"].as_array().unwrap().clone()
}

async fn users(gateway: &Gateway) -> (String, String) {
    let seven = gateway.demo_token(r#"{"user_id":7}"#).await;
    (seven, gateway.demo_token(r#"{"user_id":8}"#).await)
}

#[tokio::test]
async fn a_user_is_told_of_their_own_and_an_operator_of_everything() {
    let gateway = Gateway::start().await;
    let (seven, eight) = users(&gateway).await;
    let mut seven = Client::connect(&gateway, &seven).await;
    let mut eight = Client::connect(&gateway, &eight).await;
    let mut operator = Client::connect(&gateway, gateway.token()).await;
    let ids: Vec<Uuid> = (0..4).map(|_| Uuid::now_v7()).collect();
    let account = json!({"user_id": 8, "at": "2026-11-22T12:36:34Z"});
    let payment = json!({
        "user_id": 7, "timestamp": "2026-11-22T12:36:35Z", "status": "SUCCESS", "amount": 12.5,
    });
    let events = [
        order(ids[0], 7, "FINISHED"),
        event(ids[1], "account.changed", account),
        event(ids[2], "payment.succeeded", payment.clone()),
        event(Uuid::now_v7(), "payment.failed", payment),
        // Kafka may deliver one again.
        order(ids[0], 7, "FINISHED"),
        order(ids[3], 8, "CREATED"),
    ];
    assert!(deliver(&gateway, &events).await.iter().all(|result| result["status"] == "applied"));

    let first = json!({
        "type": "order", "id": ids[0], "order_id": "0191d2c2-0000-7000-8000-000000000001",
        "user_id": 7, "status": "FINISHED", "reason": null, "amount": "12.5",
        "at": "2026-11-22T12:36:33.123456Z",
    });
    assert_eq!(seven.told().await, first);
    let paid = json!({"type": "account", "id": ids[2], "user_id": 7, "at": "2026-11-22T12:36:35Z"});
    assert_eq!(seven.told().await, paid);
    assert_eq!(eight.told().await["id"], json!(ids[1]));
    assert_eq!(eight.told().await["id"], json!(ids[3]));
    for id in &ids {
        assert_eq!(operator.told().await["id"], json!(id));
    }
    let text = gateway.metrics.render().unwrap();
    assert!(text.contains("gateway_live_connections 3"), "{text}");
    assert!(text.contains("gateway_live_events_total{type=\"order\"} 2"), "{text}");

    let unreadable = event(Uuid::now_v7(), "order.finished", json!({"user_id": 7}));
    assert_eq!(deliver(&gateway, &[unreadable]).await[0]["status"], "rejected");
}

#[tokio::test]
async fn a_connection_is_resumed_behind_the_last_event() {
    let gateway = Gateway::start_with(&["--live-replay=4"]).await;
    let (seven, _) = users(&gateway).await;
    let ids: Vec<Uuid> = (0..6).map(|_| Uuid::now_v7()).collect();
    let publish = |range: std::ops::Range<usize>| {
        let user = |number: usize| if number == 3 { 8 } else { 7 };
        let events: Vec<Value> =
            range.map(|number| order(ids[number], user(number), "FINISHED")).collect();
        let gateway = &gateway;
        async move { deliver(gateway, &events).await }
    };
    let (_, hello) = Client::resume(&gateway, &seven, None).await;
    assert_eq!((&hello["resumed"], &hello["last_event_id"]), (&json!(false), &Value::Null));
    assert_eq!(hello["heartbeat_seconds"], 15);
    publish(0..5).await;

    let after = |number: usize| ids[number].to_string();
    let (mut client, hello) = Client::resume(&gateway, &seven, Some(&after(1))).await;
    assert_eq!((&hello["resumed"], &hello["last_event_id"]), (&json!(true), &json!(ids[4])));
    // What came meanwhile and is their own, then what comes now.
    publish(5..6).await;
    for expected in [2, 4, 5] {
        assert_eq!(client.told().await["id"], json!(ids[expected]));
    }
    // Too old by now; never heard of; not an id.
    for unknown in [after(0), Uuid::now_v7().to_string(), "x".to_owned()] {
        let (_, hello) = Client::resume(&gateway, &seven, Some(&unknown)).await;
        assert_eq!(hello["resumed"], false, "{unknown}");
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_is_told_to_fetch_anew_and_disturbs_nobody() {
    let gateway = Gateway::start_with(&["--live-queue=8"]).await;
    let (seven, _) = users(&gateway).await;
    // So little room that what is not read soon backs up.
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(2048).unwrap();
    let stream = socket.connect(gateway.address).await.unwrap();
    let mut slow = Client::over(stream, &gateway, &seven, None, &[]).await.unwrap();
    assert_eq!(slow.told().await["type"], "hello");
    let mut quick = Client::connect(&gateway, &seven).await;

    let mut sent = 0;
    while !gateway.metrics.render().unwrap().contains("gateway_live_overruns_total 1") {
        let ids: Vec<Uuid> = (0..4).map(|_| Uuid::now_v7()).collect();
        let events: Vec<Value> = ids.iter().map(|id| order(*id, 7, "FINISHED")).collect();
        deliver(&gateway, &events).await;
        for id in ids {
            assert_eq!(quick.told().await["id"], json!(id));
        }
        sent += 4;
        assert!(sent < 400_000, "the slow client was never too slow");
    }
    let mut told = 0;
    let resync = loop {
        let message = slow.told().await;
        match message["type"].as_str().unwrap() {
            "order" => told += 1,
            _ => break message,
        }
    };
    assert_eq!(resync, json!({"type": "resync", "reason": "slow_client"}));
    assert!(told < sent);
    // It goes on from there.
    let next = Uuid::now_v7();
    deliver(&gateway, &[order(next, 7, "FINISHED")]).await;
    assert_eq!(slow.told().await["id"], json!(next));
}

#[tokio::test]
async fn what_is_not_a_message_ends_the_connection_with_a_code() {
    let gateway = Gateway::start().await;
    let mut bystander = Client::connect(&gateway, gateway.token()).await;
    let cases = [
        (Message::text("x".repeat(5000)), CloseCode::Size, "too long"),
        (Message::text("x"), CloseCode::Invalid, "pong"),
        (Message::text(r#"{"type":"subscribe"}"#), CloseCode::Invalid, "pong"),
        (Message::binary(vec![1, 2, 3]), CloseCode::Unsupported, "JSON"),
    ];
    for (message, code, reason) in cases {
        let mut client = Client::connect(&gateway, gateway.token()).await;
        client.say(message).await;
        let (said, why) = client.end().await;
        assert_eq!(said, code);
        assert!(why.contains(reason), "{why}");
    }
    let mut talkative = Client::connect(&gateway, gateway.token()).await;
    for _ in 0..31 {
        talkative.say(r#"{"type":"pong"}"#).await;
    }
    assert_eq!(talkative.end().await.0, CloseCode::Policy);
    let id = Uuid::now_v7();
    deliver(&gateway, &[order(id, 7, "FINISHED")]).await;
    assert_eq!(bystander.told().await["id"], json!(id));
}

#[tokio::test]
async fn a_connection_ends_with_its_token() {
    let gateway = Gateway::start_with(&["--auth-demo-lifetime=1s"]).await;
    let token = gateway.demo_token(r#"{"user_id":7}"#).await;
    let client = Client::connect(&gateway, &token).await;
    let (code, reason) = client.end().await;
    assert_eq!((code, reason.as_str()), (CloseCode::Policy, "the token has expired"));
}

#[tokio::test]
async fn heartbeats_show_that_a_connection_is_alive_on_both_sides() {
    let gateway = Gateway::start_with(&["--live-heartbeat=1s"]).await;
    let mut alive = Client::connect(&gateway, gateway.token()).await;
    let silent = Client::connect(&gateway, gateway.token()).await;
    let answering = async {
        for _ in 0..5 {
            assert_eq!(alive.next().await, Message::text(r#"{"type":"ping"}"#));
            alive.say(r#"{"type":"pong"}"#).await;
        }
    };
    let ((), (code, reason)) = tokio::join!(answering, silent.end());
    assert_eq!(code, CloseCode::Policy);
    assert!(reason.contains("nothing was heard"), "{reason}");
}

async fn refusal(
    gateway: &Gateway,
    token: &str,
    headers: &[(&'static str, &str)],
) -> (u16, String) {
    let stream = TcpStream::connect(gateway.address).await.unwrap();
    match Client::over(stream, gateway, token, None, headers).await {
        Err(Error::Http(response)) => {
            let body = response.body().clone().unwrap_or_default();
            (response.status().as_u16(), String::from_utf8(body).unwrap())
        }
        Err(err) => panic!("{err}"),
        Ok(_) => (101, String::new()),
    }
}

#[tokio::test]
async fn who_may_not_connect_is_told_why() {
    let flags = ["--live-max-per-identity=2", "--live-max-connections=4"];
    let gateway = Gateway::start_with(&flags).await;
    let (seven, eight) = users(&gateway).await;
    assert_eq!(refusal(&gateway, "nonsense", &[]).await.0, 401);
    let foreign = refusal(&gateway, &seven, &[("origin", "https://evil.example")]).await;
    assert_eq!(foreign.0, 403);
    assert!(foreign.1.contains("forbidden"), "{}", foreign.1);
    let own = format!("http://{}", gateway.address);
    for origin in [own.as_str(), "http://localhost:3000"] {
        assert_eq!(refusal(&gateway, &seven, &[("origin", origin)]).await.0, 101, "{origin}");
    }
    gateway.get("/ws").await.assert_problem(426, "");

    let settled = || async {
        let text = gateway.metrics.render().unwrap();
        text.contains("gateway_live_connections 0").then_some(())
    };
    until("those connections have ended", PATIENCE, settled).await;
    let _held = join_all((0..2).map(|_| Client::connect(&gateway, &seven))).await;
    let (status, body) = refusal(&gateway, &seven, &[]).await;
    assert_eq!((status, body.contains("rate_limited")), (429, true), "{body}");
    let _others = join_all((0..2).map(|_| Client::connect(&gateway, &eight))).await;
    assert_eq!(refusal(&gateway, gateway.token(), &[]).await.0, 503);
}

#[tokio::test]
async fn at_a_stop_clients_are_told_to_come_back_at_different_times() {
    let gateway = Gateway::start_with(&["--live-reconnect-within=10s"]).await;
    let mut clients = join_all((0..8).map(|_| Client::connect(&gateway, gateway.token()))).await;
    let running = std::sync::Arc::clone(&gateway.running);
    let drained = tokio::spawn(async move { running.drain().await });
    let mut delays = Vec::new();
    for client in &mut clients {
        let hint = client.told().await;
        assert_eq!(hint["type"], "reconnect");
        delays.push(hint["after_ms"].as_u64().unwrap());
    }
    assert!(delays.iter().all(|delay| *delay <= 10_000), "{delays:?}");
    delays.sort_unstable();
    delays.dedup();
    assert!(delays.len() > 4, "{delays:?}");
    let ends = join_all(clients.into_iter().map(Client::end)).await;
    assert!(ends.iter().all(|(code, _)| *code == CloseCode::Restart));
    timeout(PATIENCE, drained).await.unwrap().unwrap();
}

#[tokio::test]
async fn the_same_is_told_by_server_sent_events() {
    let gateway = Gateway::start().await;
    let (seven, _) = users(&gateway).await;
    let ids: Vec<Uuid> = (0..3).map(|_| Uuid::now_v7()).collect();
    deliver(&gateway, &[order(ids[0], 7, "FINISHED"), order(ids[1], 7, "CANCELLED")]).await;
    let request = gateway
        .request_as(Some(&seven), Method::GET, "/events")
        .header("last-event-id", ids[0].to_string());
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut body = response.bytes_stream();
    let mut text = String::new();
    deliver(&gateway, &[order(ids[2], 7, "FINISHED")]).await;
    while !text.contains(&format!("id: {}", ids[2])) {
        let chunk = timeout(PATIENCE, body.next()).await.unwrap().unwrap().unwrap();
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    assert!(text.starts_with("event: hello\ndata: {"), "{text}");
    assert!(text.contains("\"resumed\":true"), "{text}");
    assert!(text.contains(&format!("id: {}", ids[1])), "{text}");
    assert!(text.contains("event: order\n"), "{text}");
    gateway
        .request_as(None, Method::GET, "/events")
        .send()
        .await
        .map(|answer| {
            assert_eq!(answer.status(), 401);
        })
        .unwrap();

    let running = std::sync::Arc::clone(&gateway.running);
    tokio::spawn(async move { running.drain().await });
    while let Some(chunk) = timeout(PATIENCE, body.next()).await.unwrap() {
        text.push_str(std::str::from_utf8(&chunk.unwrap()).unwrap());
    }
    assert!(text.contains("event: reconnect\n"), "{text}");
}

#[tokio::test]
async fn when_events_are_missing_everyone_is_told_to_fetch_anew_once() {
    let gateway = Gateway::start().await;
    let (seven, _) = users(&gateway).await;
    let mut client = Client::connect(&gateway, &seven).await;
    let from = |partition: &str, gap: Option<&str>| {
        let id = Uuid::now_v7();
        let mut event = order(id, 7, "FINISHED");
        event["kafkatopic"] = json!("order_events");
        event["kafkapartition"] = json!(partition);
        if let Some(gap) = gap {
            event["kafkagap"] = json!(gap);
        }
        (id, event)
    };
    // At first nothing was missed that anyone could have been told of.
    let first = [from("0", Some("start")), from("1", Some("start")), from("0", None)];
    deliver(&gateway, &first.clone().map(|(_, event)| event)).await;
    for (id, _) in &first {
        assert_eq!(client.told().await["id"], json!(id));
    }
    // The sidecar has started again, and says so once for each partition.
    let gap = json!({"type": "resync", "reason": "gap"});
    for (partition, told) in [("1", true), ("0", false), ("2", false)] {
        let (id, event) = from(partition, Some("start"));
        let before = &first[2].0;
        deliver(&gateway, &[event]).await;
        if told {
            assert_eq!(client.told().await, gap);
            let before = before.to_string();
            let (_, hello) = Client::resume(&gateway, &seven, Some(&before)).await;
            assert_eq!(hello["resumed"], false);
            let (id, event) = from(partition, None);
            deliver(&gateway, &[event]).await;
            // The one that told of the gap may come too.
            while client.told().await["id"] != json!(id) {}
        } else {
            assert_eq!(client.told().await["id"], json!(id));
        }
    }
    let (_, event) = from("0", Some("dropped"));
    deliver(&gateway, &[event]).await;
    assert_eq!(client.told().await, gap);
}

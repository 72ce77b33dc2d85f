//! The operator's view of the sidecars: how far they are, and what they gave up.

mod letters;
mod settings;
mod sidecar;

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use futures::future::join_all;
use kit::Problem;
use kit::extract::parse_json;
use kit::settings::ConfigurationError;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::identity::Identity;
use letters::{Decided, Letter, LettersPage, SidecarPage, ToSettle};
pub use settings::PipelineSettings;
use sidecar::Sidecar;

/// Dead letters on one page, if nothing is said.
const DEFAULT_LIMIT: u16 = 100;

/// The sidecars of this shop.
#[derive(Clone, Debug)]
pub(crate) struct Pipeline(Arc<Vec<Sidecar>>);

impl Pipeline {
    /// As the settings say.
    ///
    /// # Errors
    ///
    /// A sidecar is named twice, or the token's file cannot be read.
    pub(crate) fn new(settings: &PipelineSettings) -> Result<Self, ConfigurationError> {
        Ok(Self(Arc::new(Sidecar::all(settings)?)))
    }

    fn of(&self, service: &str) -> Result<&Sidecar, Problem> {
        self.0.iter().find(|sidecar| sidecar.service() == service).ok_or_else(|| {
            let known: Vec<_> = self.0.iter().map(Sidecar::service).collect();
            let known = known.join(", ");
            Problem::not_found(format!("no sidecar is known of `{service}`; of: {known}"))
        })
    }
}

/// `/operator/pipeline`, for operators only; to be put behind what finds out who asks.
pub(crate) fn routes(pipeline: Pipeline) -> Router {
    Router::new()
        .route("/operator/pipeline", get(overview))
        .route("/operator/pipeline/{service}/dead-letters", get(list))
        .route("/operator/pipeline/{service}/dead-letters/retry", post(retry))
        .route("/operator/pipeline/{service}/dead-letters/skip", post(skip))
        .route_layer(from_fn(operators_only))
        .with_state(pipeline)
}

async fn operators_only(
    Extension(identity): Extension<Identity>,
    request: Request,
    next: Next,
) -> Response {
    if identity.operator {
        return next.run(request).await;
    }
    let problem = Problem::new(StatusCode::FORBIDDEN, "this is for operators");
    problem.coded("forbidden").into_response()
}

/// How every sidecar is.
#[derive(Serialize, ToSchema)]
pub(crate) struct PipelineOverview {
    /// In the order of the settings.
    services: Vec<ServicePipeline>,
}

/// How the sidecar of one service is.
#[derive(Serialize, ToSchema)]
pub(crate) struct ServicePipeline {
    /// Whose sidecar it is.
    #[schema(value_type = String)]
    service: String,
    /// Whether it has answered.
    available: bool,
    /// What it answers to `GET /status`; if it is available.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, nullable = false)]
    status: Option<Value>,
    /// Why it is not available.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    error: Option<String>,
}

/// Tells how far each service's sidecar is, of one of its replicas where there are several.
#[utoipa::path(
    get, path = "/operator/pipeline", operation_id = "watchPipeline", tag = "operator",
    responses((status = 200, description = "How they are.", body = PipelineOverview)),
)]
pub(crate) async fn overview(State(pipeline): State<Pipeline>) -> Json<PipelineOverview> {
    let services = join_all(pipeline.0.iter().map(async |sidecar| {
        let (status, error) = match sidecar.get("/status").await {
            Ok(status) => (Some(status), None),
            Err(failure) => (None, Some(failure.to_string())),
        };
        let service = sidecar.service().to_owned();
        ServicePipeline { service, available: status.is_some(), status, error }
    }));
    Json(PipelineOverview { services: services.await })
}

/// Which way a message was going.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Direction {
    /// From a table to Kafka.
    Outbox,
    /// From Kafka to the service.
    Inbox,
}

/// Which dead letters.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct LettersQuery {
    /// Only of the one way.
    direction: Option<Direction>,
    /// How many; 100 if nothing is said.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u16>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

impl LettersQuery {
    /// The path and query by which a sidecar is asked.
    fn of_sidecar(&self) -> Result<String, Problem> {
        let limit = self.limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=kit::page::MAX_LIMIT).contains(&limit) {
            let allowed = format!("must be from 1 to {}", kit::page::MAX_LIMIT);
            return Err(Problem::invalid_field("limit", allowed));
        }
        let begun = "/dead-letters?".to_owned();
        let behind = begun.len();
        let mut asked = form_urlencoded::Serializer::for_suffix(begun, behind);
        asked.append_pair("limit", &limit.to_string());
        match self.direction {
            Some(Direction::Outbox) => _ = asked.append_pair("side", "outbox"),
            Some(Direction::Inbox) => _ = asked.append_pair("side", "inbox"),
            None => {}
        }
        if let Some(cursor) = &self.cursor {
            asked.append_pair("after", cursor);
        }
        Ok(asked.finish())
    }
}

/// Lists what a service's sidecar has given up, and nobody has decided on.
#[utoipa::path(
    get, path = "/operator/pipeline/{service}/dead-letters", operation_id = "listDeadLetters",
    tag = "operator",
    params(("service" = String, Path, description = "Whose sidecar."), LettersQuery),
    responses(
        (status = 200, description = "A part of the list.", body = LettersPage),
        (status = 400, description = "A parameter is wrong.", body = Problem,
         content_type = "application/problem+json"),
        (status = 404, description = "There is no such service.", body = Problem,
         content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn list(
    State(pipeline): State<Pipeline>,
    Path(service): Path<String>,
    query: Result<Query<LettersQuery>, QueryRejection>,
) -> Result<Json<LettersPage>, Problem> {
    let Query(query) =
        query.map_err(|err| Problem::new(StatusCode::BAD_REQUEST, err.body_text()))?;
    let page: SidecarPage = pipeline.of(&service)?.get(&query.of_sidecar()?).await?;
    let items = page.items.into_iter().map(Letter::from).collect();
    Ok(Json(LettersPage { items, next_cursor: page.next }))
}

/// Has a dead letter tried again, as if it had just come.
#[utoipa::path(
    post, path = "/operator/pipeline/{service}/dead-letters/retry", operation_id = "retryDeadLetter",
    tag = "operator", params(("service" = String, Path, description = "Whose sidecar.")),
    request_body = ToSettle,
    responses(
        (status = 200, description = "What became of it.", body = Decided),
        (status = 400, description = "The body is not usable.", body = Problem,
         content_type = "application/problem+json"),
        (status = 404, description = "There is no such service, outbox or inbox.", body = Problem,
         content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn retry(
    pipeline: State<Pipeline>,
    service: Path<String>,
    identity: Extension<Identity>,
    body: Bytes,
) -> Result<Json<Decided>, Problem> {
    settle("/dead-letters/retry", pipeline, service, identity, body).await
}

/// Settles a dead letter without its having an effect.
#[utoipa::path(
    post, path = "/operator/pipeline/{service}/dead-letters/skip", operation_id = "skipDeadLetter",
    tag = "operator", params(("service" = String, Path, description = "Whose sidecar.")),
    request_body = ToSettle,
    responses(
        (status = 200, description = "What became of it.", body = Decided),
        (status = 400, description = "The body is not usable.", body = Problem,
         content_type = "application/problem+json"),
        (status = 404, description = "There is no such service, outbox or inbox.", body = Problem,
         content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn skip(
    pipeline: State<Pipeline>,
    service: Path<String>,
    identity: Extension<Identity>,
    body: Bytes,
) -> Result<Json<Decided>, Problem> {
    settle("/dead-letters/skip", pipeline, service, identity, body).await
}

async fn settle(
    decision: &'static str,
    State(pipeline): State<Pipeline>,
    Path(service): Path<String>,
    Extension(identity): Extension<Identity>,
    body: Bytes,
) -> Result<Json<Decided>, Problem> {
    let named: ToSettle = parse_json(&body)?;
    let sidecar = pipeline.of(&service)?;
    let order = named.by(&identity.subject)?;
    let decided: Decided = sidecar.post(decision, &order).await?;
    tracing::info!(
        service, decision, by = %identity.subject, letter = %order, settled = decided.settled,
        "an operator has decided on a dead letter"
    );
    Ok(Json(decided))
}

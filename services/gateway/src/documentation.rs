//! The description of the public API for programs and people: `/openapi.json`, and
//! Swagger UI at `/docs/`.
//!
//! It is generated from the code of this gateway and of the services (`make openapi`),
//! and served as it is checked in, so the gateway links none of them. Swagger UI comes
//! with the program; a browser loads nothing from elsewhere.

mod document;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use kit::Problem;
use utoipa_swagger_ui::Config;

use crate::{identity_routes, live, pipeline, timeline};

pub use document::aggregate;

/// What is served at `/openapi.json`.
pub const DOCUMENT: &str = include_str!("../../../docs/openapi.json");

/// What Swagger UI needs: its own files, requests to this API, small pictures that it writes
/// into the page, and the colours of its logo, which are a style inside of that.
const POLICY: &str = "default-src 'none'; script-src 'self'; \
    style-src 'self' 'sha256-RL3ie0nH+Lzz2YNqQN83mnU0J1ot4QL7b99vMdIX99w='; \
    img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `/openapi.json` and `/docs/`.
pub(crate) fn routes() -> Router {
    let config: Config<'static> = Config::new(["../openapi.json"]).try_it_out_enabled(true);
    Router::new()
        .route("/openapi.json", get(document))
        // Relative: the gateway may stand behind a proxy that adds a path.
        .route("/docs", get(|| async { Redirect::permanent("docs/") }))
        .route("/docs/", get(index))
        .route("/docs/{*file}", get(file))
        .with_state(Arc::new(config))
}

/// What this gateway answers itself.
#[derive(utoipa::OpenApi)]
#[openapi(
    paths(
        greeting,
        document,
        identity_routes::auth_config,
        identity_routes::demo_token,
        identity_routes::me,
        pipeline::overview,
        pipeline::list,
        pipeline::retry,
        pipeline::skip,
        timeline::timeline,
        live::events,
        live::websocket
    ),
    components(schemas(live::LiveMessage)),
    tags(
        (name = "gateway", description = "The gateway itself."),
        (name = "identity", description = "Signing in, and as whom one is."),
        (name = "live", description = "What happens, as it happens."),
        (name = "operator", description = "The way of messages between the services; for operators only."),
    )
)]
struct Own;

/// Says that the gateway is there.
#[utoipa::path(
    get, path = "/", operation_id = "greet", tag = "gateway", security(()),
    responses((status = 200, description = "A greeting.", body = String, content_type = "text/plain")),
)]
#[expect(dead_code, reason = "described here, answered where the routes are")]
fn greeting() {}

/// This description.
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "describe", tag = "gateway", security(()),
    responses((status = 200, description = "OpenAPI 3.1.", body = Object)),
)]
async fn document() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT)
}

async fn index(config: State<Arc<Config<'static>>>) -> Response {
    file(Path("index.html".to_owned()), config).await
}

async fn file(Path(file): Path<String>, State(config): State<Arc<Config<'static>>>) -> Response {
    match utoipa_swagger_ui::serve(&file, config) {
        Ok(Some(found)) => {
            let Ok(kind) = HeaderValue::from_str(&found.content_type) else {
                return Problem::internal("a file has no usable type").into_response();
            };
            let headers = [
                (header::CONTENT_TYPE, kind),
                (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
                (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600")),
            ];
            (StatusCode::OK, headers, found.bytes.into_owned()).into_response()
        }
        Ok(None) => Problem::not_found("there is nothing at this path").into_response(),
        Err(error) => Problem::internal(error.to_string()).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    use super::*;

    async fn page(path: &str) -> (StatusCode, String, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = routes().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let text = |name| {
            let value: Option<&HeaderValue> = headers.get(name);
            value.map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
        };
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let policy = text(header::CONTENT_SECURITY_POLICY);
        (status, policy, String::from_utf8_lossy(&body).into_owned())
    }

    #[tokio::test]
    async fn the_page_and_all_it_loads_come_from_here() {
        let (status, policy, index) = page("/docs/").await;
        assert_eq!((status, policy.as_str()), (StatusCode::OK, POLICY));
        assert!(!index.contains("https://") && !index.contains("<script>"), "{index}");
        let attributes = index.split(['"', '\'']).collect::<Vec<_>>();
        let loaded = attributes
            .windows(2)
            .filter(|pair| pair[0].ends_with("src=") || pair[0].ends_with("href="));
        let mut files = 0;
        for pair in loaded {
            let file = pair[1].trim_start_matches("./");
            assert_eq!(page(&format!("/docs/{file}")).await.0, StatusCode::OK, "{file}");
            files += 1;
        }
        assert!(files >= 3, "{index}");
        let (_, _, start) = page("/docs/swagger-initializer.js").await;
        assert!(start.contains("../openapi.json"), "{start}");
        assert_eq!(page("/docs/absent.js").await.0, StatusCode::NOT_FOUND);
    }

    #[tokio::test]
    async fn the_description_is_openapi_3_1() {
        let (status, _, document) = page("/openapi.json").await;
        assert_eq!(status, StatusCode::OK);
        assert!(document.contains(r#""openapi": "3.1.0""#));
    }
}

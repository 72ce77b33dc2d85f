//! What the descriptions of the services' APIs (OpenAPI 3.1) have in common.

use axum::http::StatusCode;
use serde::Serialize;
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{
    Content, Header, OpenApi, PathItem, Ref, RefOr, Response, ResponseBuilder, Schema,
};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use crate::problem::{CONTENT_TYPE, FieldError, Problem};

/// Query parameters of a list.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// How many items a page has; 100 if only `after` is given.
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u16>,
    /// The `next` of the page before.
    pub after: Option<String>,
}

/// Headers of a call that changes something.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
pub struct RepetitionHeader {
    /// With the same key, method, path and body the call takes effect once, and a
    /// repetition gets the first answer again.
    #[param(
        rename = "Idempotency-Key", value_type = String, required = false, min_length = 1, max_length = 255)]
    pub idempotency_key: Option<String>,
}

/// A list: a page if `limit` or `after` was given, and otherwise the plain array of at most
/// 1000 items, with a `Link` header to the others.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Listing<T: ToSchema> {
    /// A part of a list.
    Page(Page<T>),
    /// The items.
    Plain(Vec<T>),
}

/// A part of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T: ToSchema> {
    /// The newest first.
    pub items: Vec<T>,
    /// What `after` is to be for the next page; null on the last one.
    #[schema(required)]
    pub next: Option<String>,
}

impl PartialSchema for Problem {
    fn schema() -> RefOr<Schema> {
        let text = |description: &str| {
            ObjectBuilder::new()
                .schema_type(SchemaType::new(Type::String))
                .description(Some(description))
        };
        let number = ObjectBuilder::new().schema_type(SchemaType::new(Type::Integer));
        let code = ObjectBuilder::new()
            .schema_type(SchemaType::from_iter([Type::String, Type::Integer]))
            .description(Some(
                "What programs know it by; in answers of the first version, the status.",
            ));
        let errors = ArrayBuilder::new()
            .items(RefOr::Ref(Ref::from_schema_name("FieldError")))
            .description(Some("What is wrong with which field; absent if none is to blame."));
        ObjectBuilder::new()
            .description(Some("An error, as RFC 9457 has it."))
            .property("type", text("`about:blank`, or what is documented under that name."))
            .required("type")
            .property("title", text("What kind of error it is."))
            .required("title")
            .property("status", number.description(Some("The status of the answer.")))
            .required("status")
            .property("detail", text("What is wrong in this case."))
            .required("detail")
            .property("errors", errors)
            .property("code", code)
            .property(
                "error",
                text("The title once more, in answers as those of the first version."),
            )
            .into()
    }
}

impl ToSchema for Problem {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push(("FieldError".into(), FieldError::schema()));
    }
}

/// Adds to every operation the refusals that any may answer, and to the components what
/// they are made of.
pub fn add_common_refusals(document: &mut OpenApi) {
    for path in document.paths.paths.values_mut() {
        for operation in operations(path) {
            let mut statuses =
                vec![StatusCode::INTERNAL_SERVER_ERROR, StatusCode::SERVICE_UNAVAILABLE];
            if operation.parameters.as_ref().is_some_and(|parameters| !parameters.is_empty()) {
                statuses.push(StatusCode::BAD_REQUEST);
            }
            if operation.request_body.is_some() {
                statuses.extend([
                    StatusCode::BAD_REQUEST,
                    StatusCode::CONFLICT,
                    StatusCode::PAYLOAD_TOO_LARGE,
                    StatusCode::UNSUPPORTED_MEDIA_TYPE,
                ]);
            }
            for status in statuses {
                refuse(operation, status);
            }
        }
    }
    let components = document.components.get_or_insert_default();
    components.schemas.insert("Problem".into(), Problem::schema());
    components.schemas.insert("FieldError".into(), FieldError::schema());
}

/// Adds a refusal to an operation that does not speak of this status yet.
pub fn refuse(operation: &mut Operation, status: StatusCode) {
    operation
        .responses
        .responses
        .entry(status.as_str().to_owned())
        .or_insert_with(|| RefOr::T(refusal(status)));
}

/// The operations of a path.
pub fn operations(path: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut path.get, &mut path.post, &mut path.patch, &mut path.put, &mut path.delete]
        .into_iter()
        .flatten()
}

fn refusal(status: StatusCode) -> Response {
    let description = match status {
        StatusCode::BAD_REQUEST => "The request cannot be read or breaks a rule.",
        StatusCode::UNAUTHORIZED => "There is no token, or none that is valid.",
        StatusCode::FORBIDDEN => "It is another user's, or for operators.",
        StatusCode::CONFLICT => "The `Idempotency-Key` was used for another request.",
        StatusCode::PAYLOAD_TOO_LARGE => "The body is too large.",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "The body is no JSON.",
        StatusCode::TOO_MANY_REQUESTS => "Too often; `Retry-After` says when again.",
        StatusCode::BAD_GATEWAY => "The service answered something that is no HTTP.",
        StatusCode::SERVICE_UNAVAILABLE => "Something is away; `Retry-After` says when again.",
        StatusCode::GATEWAY_TIMEOUT => "The service did not answer in time.",
        _ => "A fault. It is safe to repeat the request with the same `Idempotency-Key`.",
    };
    let mut response = ResponseBuilder::new()
        .description(description)
        .content(CONTENT_TYPE, Content::new(Some(RefOr::Ref(Ref::from_schema_name("Problem")))));
    if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        let mut seconds =
            Header::new(ObjectBuilder::new().schema_type(SchemaType::new(Type::Integer)));
        seconds.description = Some("Seconds until a repetition has a chance.".into());
        response = response.header("Retry-After", seconds);
    }
    response.build()
}

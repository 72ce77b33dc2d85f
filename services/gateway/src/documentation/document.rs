//! One description of everything that goes through the gateway.

use axum::http::StatusCode;
use kit::documentation::{add_common_refusals, operations, refuse};
use utoipa::OpenApi as _;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{InfoBuilder, LicenseBuilder, OpenApi, Server};

const DESCRIPTION: &str = "Place orders and pay them from accounts. Errors are problem details (RFC 9457), amounts are \
    exact, and every call that changes something may be repeated safely with an `Idempotency-Key`.";

/// Describes the gateway's own routes and those of the services behind it.
pub fn aggregate(orders: OpenApi, payments: OpenApi) -> OpenApi {
    let mut document = super::Own::openapi();
    add_common_refusals(&mut document);
    // These ask others.
    for (path, item) in &mut document.paths.paths {
        if path.starts_with("/operator/") || path.starts_with("/orders/") {
            for operation in operations(item) {
                refuse(operation, StatusCode::BAD_GATEWAY);
                refuse(operation, StatusCode::GATEWAY_TIMEOUT);
            }
        }
    }
    // A token of a user is for their own only; what is for all is in the operations.
    document.security = Some(vec![SecurityRequirement::new("token", Vec::<String>::new())]);
    if let Some(components) = &mut document.components {
        let token = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some("Of the issuer, or in mode `demo` of `POST /auth/demo-token`."))
            .build();
        components.add_security_scheme("token", SecurityScheme::Http(token));
    }
    for mut service in [orders, payments] {
        for operation in service.paths.paths.values_mut().flat_map(operations) {
            refuse(operation, StatusCode::BAD_GATEWAY);
            refuse(operation, StatusCode::GATEWAY_TIMEOUT);
        }
        document.merge(service);
    }
    for operation in document.paths.paths.values_mut().flat_map(operations) {
        refuse(operation, StatusCode::TOO_MANY_REQUESTS);
        // An empty list says that no token is needed.
        if operation.security.is_none() {
            refuse(operation, StatusCode::UNAUTHORIZED);
            refuse(operation, StatusCode::FORBIDDEN);
        }
    }
    document.info = InfoBuilder::new()
        .title("Orders and payments")
        .description(Some(DESCRIPTION))
        .version(env!("CARGO_PKG_VERSION"))
        .license(Some(
            LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build(),
        ))
        .build();
    // Beside the document itself, wherever a proxy has put it.
    document.servers = Some(vec![Server::new("./")]);
    document
}

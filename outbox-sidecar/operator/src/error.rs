//! Errors of the API server, sorted.

use std::{error::Error, fmt::Write as _};

/// An error with everything that caused it: `a: b: c`.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        // Some errors already print what caused them.
        if !text.contains(&cause) {
            let _ = write!(text, ": {cause}");
        }
        source = error.source();
    }
    text
}

/// What kind of error it is, for metrics.
pub fn class(error: &kube::Error) -> &'static str {
    match error {
        kube::Error::Api(status) => match status.code {
            401 | 403 => "forbidden",
            404 => "not_found",
            409 => "conflict",
            422 => "invalid",
            429 => "throttled",
            500.. => "server",
            _ => "refused",
        },
        kube::Error::HyperError(_) | kube::Error::Service(_) => "unreachable",
        kube::Error::SerdeError(_) | kube::Error::FromUtf8(_) => "unreadable",
        _ => "other",
    }
}

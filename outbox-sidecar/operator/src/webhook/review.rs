//! `AdmissionReview` as far as it matters here. The pod stays as it came:
//! fields of a newer Kubernetes must not get lost.

use json_patch::Patch;
use k8s_openapi::ByteString;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What the API server sends.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Review {
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) request: Option<Request>,
}

/// What is to be decided.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Request {
    pub(super) uid: String,
    pub(super) kind: Kind,
    #[serde(default)]
    pub(super) sub_resource: Option<String>,
    #[serde(default)]
    pub(super) namespace: Option<String>,
    pub(super) operation: String,
    #[serde(default)]
    pub(super) object: Value,
}

/// The type of the object.
#[derive(Debug, Deserialize)]
pub(super) struct Kind {
    pub(super) kind: String,
}

/// What the API server gets.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer {
    api_version: &'static str,
    kind: &'static str,
    response: Response,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    uid: String,
    allowed: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<ByteString>,
}

/// The version of the API that is spoken.
pub(super) const API_VERSION: &str = "admission.k8s.io/v1";

/// Its one kind.
pub(super) const KIND: &str = "AdmissionReview";

impl Answer {
    /// The pod is let in, changed by the patch if there is one.
    pub(super) fn allowed(
        uid: String,
        patch: Option<&Patch>,
        warnings: Vec<String>,
    ) -> Result<Self, serde_json::Error> {
        let patch = patch.map(serde_json::to_vec).transpose()?.map(ByteString);
        let patch_type = patch.is_some().then_some("JSONPatch");
        let response = Response { uid, allowed: true, warnings, patch_type, patch };
        Ok(Self { api_version: API_VERSION, kind: KIND, response })
    }
}

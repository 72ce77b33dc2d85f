//! The headers of requests and responses that pass through.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use kit::RequestContext;
use kit::context::{REQUEST_ID, TRACEPARENT};

pub(crate) const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Headers of one connection, never passed on (RFC 9110, 7.6.1).
const HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Removes the headers that belong to one connection, those that
/// `Connection` names included.
pub(crate) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

/// Sets what the service is told about the request's way: who asked, for
/// which host, and the request's id and trace. What the client claims about
/// the way is dropped unless `trusted`.
pub(crate) fn set_provenance(
    headers: &mut HeaderMap,
    context: &RequestContext,
    client: Option<IpAddr>,
    trusted: bool,
) {
    let host = headers.remove(header::HOST);
    let claimed = if trusted { headers.get(&FORWARDED_FOR).cloned() } else { None };
    if !trusted {
        headers.remove(FORWARDED_HOST);
        headers.remove(FORWARDED_PROTO);
        headers.remove(header::FORWARDED);
    }
    headers.remove(&FORWARDED_FOR);
    let way: Vec<String> = claimed
        .iter()
        .filter_map(|value| value.to_str().ok().map(str::to_owned))
        .chain(client.map(|address| address.to_canonical().to_string()))
        .collect();
    if let Ok(way) = HeaderValue::from_str(&way.join(", ")) {
        headers.insert(FORWARDED_FOR, way);
    }
    if let Some(host) = host {
        headers.entry(FORWARDED_HOST).or_insert(host);
    }
    headers.entry(FORWARDED_PROTO).or_insert(HeaderValue::from_static("http"));
    headers.insert(REQUEST_ID, context.request_id.clone());
    if let Ok(trace) = HeaderValue::from_str(&context.trace.to_string()) {
        headers.insert(TRACEPARENT, trace);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn headers_of_one_connection_stay_there() {
        let mut passed = headers(&[
            ("connection", "close, X-Secret"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers"),
            ("upgrade", "h2c"),
            ("x-secret", "1"),
            ("idempotency-key", "k"),
        ]);
        strip_hop_by_hop(&mut passed);
        assert_eq!(passed, headers(&[("idempotency-key", "k")]));
    }

    #[test]
    fn a_client_cannot_pretend_to_come_from_elsewhere() {
        let claimed = [
            ("host", "shop.example"),
            ("x-forwarded-for", "10.0.0.1"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "evil.example"),
        ];
        let client = Some("::ffff:192.0.2.7".parse().unwrap());
        let context = RequestContext::from_headers(&HeaderMap::new());

        let mut untrusted = headers(&claimed);
        set_provenance(&mut untrusted, &context, client, false);
        assert_eq!(untrusted[&FORWARDED_FOR], "192.0.2.7");
        assert_eq!(untrusted[&FORWARDED_PROTO], "http");
        assert_eq!(untrusted[&FORWARDED_HOST], "shop.example");
        assert_eq!(untrusted[REQUEST_ID], context.request_id());

        let mut trusted = headers(&claimed);
        set_provenance(&mut trusted, &context, client, true);
        assert_eq!(trusted[&FORWARDED_FOR], "10.0.0.1, 192.0.2.7");
        assert_eq!(trusted[&FORWARDED_PROTO], "https");
        assert_eq!(trusted[&FORWARDED_HOST], "evil.example");
    }
}

//! Lists in pages, by a cursor that names the last item seen.

use std::convert::Infallible;

use axum::Json;
use axum::extract::{FromRequestParts, OriginalUri};
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use crate::problem::Problem;

/// The most items one page can have.
pub const MAX_LIMIT: u16 = 500;
/// The items of a page when only `after` is given.
pub const DEFAULT_LIMIT: u16 = 100;
/// The most items of the plain array that is answered when neither `limit`
/// nor `after` is given.
pub const PLAIN_LIMIT: u16 = 1000;

/// Where an item stands in its list: what its order sorts by, unique.
pub trait Position: Sized {
    /// The position before every item.
    const START: Self;
    /// As bytes.
    fn encode(&self) -> Vec<u8>;
    /// From bytes; `None` when they are not a position.
    fn decode(bytes: &[u8]) -> Option<Self>;
}

/// The position in a list from newest to oldest, by time and then id.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ByTime {
    /// When the item was made, to the microsecond.
    pub created_at: Timestamp,
    /// The item's id.
    pub id: Uuid,
}

impl Position for ByTime {
    const START: Self = Self { created_at: Timestamp::MAX, id: Uuid::max() };

    fn encode(&self) -> Vec<u8> {
        let mut bytes = self.created_at.as_microsecond().to_be_bytes().to_vec();
        bytes.extend_from_slice(self.id.as_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (time, id) = bytes.split_first_chunk::<8>()?;
        Some(Self {
            created_at: Timestamp::from_microsecond(i64::from_be_bytes(*time)).ok()?,
            id: Uuid::from_slice(id).ok()?,
        })
    }
}

/// The position in a list from newest to oldest, by a running number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ByNumber(pub i64);

impl Position for ByNumber {
    const START: Self = Self(i64::MAX);

    fn encode(&self) -> Vec<u8> {
        self.0.to_be_bytes().to_vec()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        Some(Self(i64::from_be_bytes(bytes.try_into().ok()?)))
    }
}

/// Which items a list has, by further parameters.
pub trait Filter: Default {
    /// The parameters' names, for the one who gave another.
    const NAMES: &'static str;

    /// Takes a parameter over; `None` if it is none of this filter.
    ///
    /// # Errors
    ///
    /// Its value cannot be used.
    fn set(&mut self, name: &str, value: &str) -> Option<Result<(), Problem>>;
}

/// All items.
impl Filter for () {
    const NAMES: &'static str = "limit or after";

    fn set(&mut self, _: &str, _: &str) -> Option<Result<(), Problem>> {
        None
    }
}

/// The page a request asks for, by `limit` (1 to 500) and `after`, and of which
/// items.
#[derive(Debug)]
pub struct PageRequest<P, F = ()> {
    limit: u16,
    after: P,
    plain: bool,
    path: String,
    filter: F,
}

impl<P: Position, F> PageRequest<P, F> {
    /// Which items.
    pub fn filter(&self) -> &F {
        &self.filter
    }

    /// The position to list after.
    pub fn after(&self) -> &P {
        &self.after
    }

    /// How many items to fetch: one more than the page has, to see whether
    /// there is a next page.
    pub fn fetch(&self) -> i64 {
        i64::from(self.limit) + 1
    }

    /// The answer: `{"items":[…],"next":"cursor"|null}` when a page or some
    /// items were asked for. Otherwise the plain array, cut at 1000 items, with a `Link` header
    /// to the next page if it was.
    pub fn respond<T: Serialize>(&self, mut items: Vec<T>, position: impl Fn(&T) -> P) -> Response {
        let limit = usize::from(self.limit);
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items
            .last()
            .filter(|_| more)
            .map(|item| BASE64_URL_SAFE_NO_PAD.encode(position(item).encode()));
        if !self.plain {
            return Json(Page { items, next }).into_response();
        }
        let mut response = Json(items).into_response();
        let link = next.and_then(|next| {
            HeaderValue::from_str(&format!(
                "<{}?limit={MAX_LIMIT}&after={next}>; rel=\"next\"",
                self.path
            ))
            .ok()
        });
        if let Some(link) = link {
            response.headers_mut().insert(header::LINK, link);
        }
        response
    }
}

#[derive(Serialize)]
struct Page<T> {
    items: Vec<T>,
    next: Option<String>,
}

impl<P: Position, F: Filter, S: Send + Sync> FromRequestParts<S> for PageRequest<P, F> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let uri: Result<OriginalUri, Infallible> =
            OriginalUri::from_request_parts(parts, state).await;
        let path = uri.map(|uri| uri.path().to_owned()).unwrap_or_default();
        parse(path, parts.uri.query().unwrap_or_default())
    }
}

fn parse<P: Position, F: Filter>(path: String, query: &str) -> Result<PageRequest<P, F>, Problem> {
    let (mut limit, mut after) = (None, None);
    let (mut filter, mut filtered) = (F::default(), false);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match name {
            "limit" => limit = Some(parse_limit(value)?),
            "after" => after = Some(parse_cursor(value)?),
            other => {
                let set = filter.set(other, value).ok_or_else(|| {
                    let detail = format!("unknown parameter; expected {}", F::NAMES);
                    Problem::invalid_field(other, detail)
                })?;
                set?;
                filtered = true;
            }
        }
    }
    let plain = limit.is_none() && after.is_none() && !filtered;
    let default = if plain { PLAIN_LIMIT } else { DEFAULT_LIMIT };
    Ok(PageRequest {
        limit: limit.unwrap_or(default),
        after: after.unwrap_or(P::START),
        plain,
        path,
        filter,
    })
}

fn parse_limit(value: &str) -> Result<u16, Problem> {
    value.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit)).ok_or_else(|| {
        Problem::invalid_field("limit", format!("expected a number from 1 to {MAX_LIMIT}"))
    })
}

fn parse_cursor<P: Position>(value: &str) -> Result<P, Problem> {
    BASE64_URL_SAFE_NO_PAD.decode(value).ok().and_then(|bytes| P::decode(&bytes)).ok_or_else(|| {
        Problem::invalid_field("after", "not a cursor of this list; use the `next` of a page")
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cursor(position: &impl Position) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(position.encode())
    }

    #[test]
    fn limits_and_cursors_are_checked() {
        for bad in ["limit=0", "limit=501", "limit=x", "limit=", "after=x", "after=", "page=2"] {
            assert!(parse::<ByNumber, ()>(String::new(), bad).is_err(), "{bad}");
        }
        let of_another_list = format!("after={}", cursor(&ByTime::START));
        assert!(parse::<ByNumber, ()>(String::new(), &of_another_list).is_err());
        let request = parse::<ByNumber, ()>(String::new(), "limit=2").unwrap();
        assert_eq!((request.fetch(), request.plain), (3, false));
        let request = parse::<ByNumber, ()>(String::new(), "").unwrap();
        assert_eq!((request.fetch(), request.plain), (1001, true));
    }

    proptest! {
        #[test]
        fn a_cursor_reads_back_the_same(micros in 0_i64..4_000_000_000_000_000, id: u128, number: i64) {
            let position = ByTime {
                created_at: Timestamp::from_microsecond(micros).unwrap(),
                id: Uuid::from_u128(id),
            };
            let query = format!("after={}", cursor(&position));
            prop_assert_eq!(*parse::<ByTime, ()>(String::new(), &query).unwrap().after(), position);
            let query = format!("after={}", cursor(&ByNumber(number)));
            prop_assert_eq!(parse::<ByNumber, ()>(String::new(), &query).unwrap().after().0, number);
        }

        #[test]
        fn any_cursor_is_read_or_refused_without_harm(text in "[A-Za-z0-9_=-]{0,60}") {
            let _ = parse::<ByTime, ()>(String::new(), &format!("after={text}"));
        }
    }
}

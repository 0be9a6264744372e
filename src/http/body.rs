//! Reads request bodies, with a bound in size and in time: JSON of the expected type, or a refusal that says what is
//! wrong with it.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, Uri, header};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::shares::Exhaustion;
use crate::error::{Refused, Result};

/// Of a JSON body, in bytes.
pub(super) const JSON_LIMIT: usize = 64 * 1024;
/// Of a form, in bytes.
pub(super) const FORM_LIMIT: usize = 16 * 1024;
/// Characters of a name that are quoted in a refusal.
const SHOWN_CHARACTERS: usize = 50;
/// Unknown fields that one refusal names.
const SHOWN_NAMES: usize = 10;
/// How long a body may take to arrive.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Reads the whole body, up to `limit` bytes.
pub(super) async fn read(body: Body, limit: usize) -> Result<Bytes> {
    match tokio::time::timeout(TIMEOUT, to_bytes(body, limit)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(cause)) if is_exhausted(&cause) => {
            let detail =
                "Too many bytes are being received already. Nothing was changed; try again shortly.".to_owned();
            Err(Refused::Unavailable { retry_after: 2, detail }.into())
        }
        Ok(Err(cause)) if is_too_long(&cause) => Err(Refused::TooLarge(limit as u64).into()),
        Ok(Err(_)) => Err(Refused::InvalidRequest("The body ended before it was complete.".into()).into()),
        Err(_) => {
            let detail = format!("The body did not arrive within {} s.", TIMEOUT.as_secs());
            Err(Refused::InvalidRequest(detail).into())
        }
    }
}

fn is_too_long(cause: &axum::Error) -> bool {
    chain(cause).any(|error| error.to_string().contains("length limit exceeded"))
}

/// Whether there was no room for the bytes: see `shares`.
fn is_exhausted(cause: &axum::Error) -> bool {
    chain(cause).any(|error| error.is::<Exhaustion>())
}

fn chain(cause: &axum::Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    let first: &(dyn std::error::Error + 'static) = cause;
    std::iter::successors(Some(first), |error| error.source())
}

/// A `T` that is read only from a JSON object. On its own, serde would also read it from an array, with the fields in the
/// order of the struct.
pub(super) struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Object<T>, D::Error> {
        struct Fields<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> std::result::Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }

        deserializer.deserialize_map(Fields(PhantomData)).map(Object)
    }
}

/// Reads a JSON body. Unknown and repeated fields are refused by the serde attributes of the type.
pub(super) async fn json<T: DeserializeOwned>(request: Request) -> Result<T> {
    json_up_to(JSON_LIMIT, request).await
}

/// Reads a JSON body of up to `limit` bytes.
pub(super) async fn json_up_to<T: DeserializeOwned>(limit: usize, request: Request) -> Result<T> {
    let (head, body) = request.into_parts();
    refuse_query(&head.uri)?;
    check_media(&head.headers)?;
    parse(&read(body, limit).await?)
}

/// Refuses what is asked in the query of a call whose wishes stand in its body: `?dry_run=true` would be overlooked.
fn refuse_query(uri: &Uri) -> Result<()> {
    let Some((name, _)) = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).next() else {
        return Ok(());
    };
    let shown: String = name.chars().take(SHOWN_CHARACTERS).collect();
    let detail = format!("The query field {shown:?} is not known here: this call has no query, only a body.");
    Err(Refused::InvalidRequest(detail).into())
}

fn check_media(headers: &HeaderMap) -> Result<()> {
    if let Some(coding) = headers.get(header::CONTENT_ENCODING).filter(|coding| *coding != "identity") {
        let detail = format!("The body has Content-Encoding {coding:?}: it was expected as it is.");
        return Err(Refused::InvalidRequest(detail).into());
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media = kind.split(';').next().unwrap_or_default().trim();
    if media.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let found = if media.is_empty() { "no Content-Type".to_owned() } else { format!("Content-Type {media:?}") };
    Err(Refused::InvalidRequest(format!("The request has {found}: application/json was expected.")).into())
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let read: std::result::Result<Object<T>, serde_json::Error> = serde_json::from_slice(bytes);
    read.map(|Object(body)| body).map_err(|cause| Refused::InvalidRequest(explain::<T>(bytes, &cause)).into())
}

/// Says why a body could not be read: names all unknown fields, or else the first field with a wrong value, or else the
/// place of the error.
fn explain<T: DeserializeOwned>(bytes: &[u8], cause: &serde_json::Error) -> String {
    let fields = serde_json::from_slice::<Map<String, Value>>(bytes).unwrap_or_default();
    let mut names: Vec<String> = vec![];
    let mut known = String::new();
    let mut wrong_value = None;
    for (name, value) in fields {
        let alone = serde_json::from_value::<T>(Value::Object(Map::from_iter([(name.clone(), value)])));
        let message = alone.err().map(|error| error.to_string()).unwrap_or_default();
        let shown = |name: &str| format!("{:?}", name.chars().take(SHOWN_CHARACTERS).collect::<String>());
        if message.starts_with("invalid ") && wrong_value.is_none() {
            wrong_value = Some(format!("The field {} is not as expected here: {}.", shown(&name), in_words(&message)));
        }
        // This is how serde words a field that `deny_unknown_fields` refuses.
        if !message.starts_with("unknown field") {
            continue;
        }
        known = message
            .rsplit_once(", expected ")
            .map_or_else(|| "none was expected".to_owned(), |(_, known)| format!("expected were {known}"));
        names.push(shown(unknown_in(&message, &name)));
        if names.len() == SHOWN_NAMES {
            break;
        }
    }
    // A repeated field is reported before its value.
    let wrong_value = wrong_value.filter(|_| !cause.to_string().starts_with("duplicate field"));
    match names.len() {
        0 => wrong_value.unwrap_or_else(|| {
            format!("The body is not the JSON object that is expected here: {}.", in_words(&cause.to_string()))
        }),
        1 => format!("The field {} is not known here: {known}.", names.concat()),
        _ => format!("The fields {} are not known here: {known}.", names.join(", ")),
    }
}

/// serde's message in words that do not assume knowledge of Rust.
fn in_words(message: &str) -> String {
    let half = "a \\u escape that is half of a surrogate pair and no character";
    let message = message.replace("expected i64", "expected a whole number, written without a fraction or an exponent");
    let message =
        message.replace("unexpected end of hex escape", half).replace("lone leading surrogate in hex escape", half);
    shortened(&message)
}

/// Which field serde does not know: `tried`, or one inside it.
fn unknown_in<'a>(message: &'a str, tried: &'a str) -> &'a str {
    let named = message.strip_prefix("unknown field `").unwrap_or_default();
    if named.strip_prefix(tried).is_some_and(|rest| rest.starts_with("`, ")) {
        return tried;
    }
    named.split_once("`, ").map_or(tried, |(inside, _)| inside)
}

/// The beginning and the end of a long text. A message may quote a whole body.
fn shortened(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    if letters.len() <= 4 * SHOWN_CHARACTERS {
        return text.to_owned();
    }
    let (start, end) = (&letters[..2 * SHOWN_CHARACTERS], &letters[letters.len() - 2 * SHOWN_CHARACTERS..]);
    start.iter().chain(&['…']).chain(end).collect()
}

/// Reads a JSON body that may be left out.
pub(super) async fn json_or_default<T: DeserializeOwned + Default>(request: Request) -> Result<T> {
    let (head, body) = request.into_parts();
    refuse_query(&head.uri)?;
    let bytes = read(body, JSON_LIMIT).await?;
    // Many programs name the type also where they send nothing.
    if bytes.is_empty() {
        return Ok(T::default());
    }
    check_media(&head.headers)?;
    parse(&bytes)
}

/// Reads the fields of a form.
pub(super) async fn form(body: Body) -> Result<Vec<(String, String)>> {
    let bytes = read(body, FORM_LIMIT).await?;
    Ok(form_urlencoded::parse(&bytes).into_owned().collect())
}

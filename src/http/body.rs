//! Bodies, read with a bound in size and in time, and told apart: JSON of the shape that was asked for, or a clear word
//! on what is wrong with it.

use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, header};
use serde::de::DeserializeOwned;

use crate::error::{Refused, Result};

/// The most that a JSON body of the API may have.
pub(super) const JSON_LIMIT: usize = 64 * 1024;
/// The most that a form may have.
pub(super) const FORM_LIMIT: usize = 16 * 1024;
/// How long a body may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The whole body, up to `limit` bytes.
pub(super) async fn read(body: Body, limit: usize) -> Result<Bytes> {
    match tokio::time::timeout(PATIENCE, to_bytes(body, limit)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(cause)) if is_too_long(&cause) => Err(Refused::TooLarge(limit as u64).into()),
        Ok(Err(_)) => Err(Refused::InvalidRequest("The body ended before it was complete.".into()).into()),
        Err(_) => {
            let detail = format!("The body did not arrive within {} s.", PATIENCE.as_secs());
            Err(Refused::InvalidRequest(detail).into())
        }
    }
}

fn is_too_long(cause: &axum::Error) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(cause);
    while let Some(error) = cause {
        if error.to_string().contains("length limit exceeded") {
            return true;
        }
        cause = error.source();
    }
    false
}

/// A JSON body. Unknown and repeated fields are refused by the type's own rules.
pub(super) async fn json<T: DeserializeOwned>(headers: &HeaderMap, body: Body) -> Result<T> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media = kind.split(';').next().unwrap_or_default().trim();
    if !media.eq_ignore_ascii_case("application/json") {
        let found = if media.is_empty() { "no Content-Type".to_owned() } else { format!("Content-Type {media:?}") };
        return Err(Refused::InvalidRequest(format!("The request has {found}: application/json was expected.")).into());
    }
    let bytes = read(body, JSON_LIMIT).await?;
    serde_json::from_slice(&bytes).map_err(|cause| {
        Refused::InvalidRequest(format!("The body is not the JSON object that is expected here: {cause}.")).into()
    })
}

/// A JSON body that may be left out altogether.
pub(super) async fn json_or_default<T: DeserializeOwned + Default>(headers: &HeaderMap, body: Body) -> Result<T> {
    if headers.get(header::CONTENT_TYPE).is_none() {
        let bytes = read(body, JSON_LIMIT).await?;
        return match bytes.is_empty() {
            true => Ok(T::default()),
            false => {
                Err(Refused::InvalidRequest("The body has no Content-Type: application/json was expected.".into())
                    .into())
            }
        };
    }
    json(headers, body).await
}

/// A form's fields.
pub(super) async fn form(body: Body) -> Result<Vec<(String, String)>> {
    let bytes = read(body, FORM_LIMIT).await?;
    Ok(form_urlencoded::parse(&bytes).into_owned().collect())
}

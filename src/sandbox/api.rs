//! One API call from its bytes to its answer: API key, route, parameters, idempotency key, injected fault, work,
//! expansion. Nothing here is about one resource, and nothing about HTTP connections.

use crate::sandbox::api_error::ApiError;
use crate::sandbox::call::{ApiCall, Route};
use crate::sandbox::expand::expand;
use crate::sandbox::faults::FaultKind;
use crate::sandbox::form::RequestForm;
use crate::sandbox::idempotency::{ApiAnswer, KeyUse};
use crate::sandbox::params;
use crate::sandbox::rendering::render;
use crate::sandbox::resource;
use crate::sandbox::shared::Shared;
use crate::sandbox::state::EventCause;
use crate::sandbox::version::ApiVersion;
use crate::sandbox::wire;

#[derive(Clone, Debug)]
pub struct ApiRequest {
    pub method: String,
    pub path: String,
    pub query: String,
    pub body: String,
    pub authorization: Option<String>,
    pub idempotency_key: Option<String>,
    /// `Stripe-Version`. Without the header it is the account's.
    pub version: String,
    /// The `Request-Id` that the answer carries.
    pub id: String,
}

#[derive(Debug)]
pub struct ApiReply {
    pub answer: ApiAnswer,
    /// The first answer to this idempotency key, given again.
    pub is_replay: bool,
    /// The connection is closed without an answer.
    pub closes_connection: bool,
}

/// Answers a call. Waits only for an injected slow fault.
pub async fn answer(shared: &Shared, request: &ApiRequest) -> ApiReply {
    match prepare(request) {
        Ok((key, (route, names, form))) => {
            match shared.with(|state| state.access.check(&key, &request.method, &request.path)) {
                Ok(()) => perform(shared, request, route, names, form).await,
                Err(error) => reply(error_answer(&error)),
            }
        }
        Err(error) => reply(error_answer(&error)),
    }
}

type PreparedCall = (&'static Route, Vec<String>, RequestForm);

/// The key, and the call that it makes.
fn prepare(request: &ApiRequest) -> Result<(String, PreparedCall), ApiError> {
    let key = authenticate(request.authorization.as_deref())?;
    if resource::is_not_built(&request.method, &request.path) {
        return Err(ApiError::not_built(&format!("{} {}", request.method, request.path)));
    }
    let (route, names) = resource::find(&request.method, &request.path)
        .ok_or_else(|| ApiError::unknown_url(&request.method, &request.path))?;
    let form = RequestForm::decode(if request.method == "POST" { &request.body } else { &request.query })?;
    params::check(&form, route.rules, route.not_built)?;
    ApiVersion::read(&request.version)?;
    Ok((key, (route, names, form)))
}

async fn perform(
    shared: &Shared,
    request: &ApiRequest,
    route: &Route,
    names: Vec<String>,
    form: RequestForm,
) -> ApiReply {
    let key = request.idempotency_key.as_deref().filter(|_| request.method == "POST");
    let begun = shared.with(|state| match key {
        Some(key) => state.keys.begin(key, &request.path, &form.canonical()),
        None => Ok(KeyUse::First),
    });
    match begun {
        Ok(KeyUse::First) => {}
        Ok(KeyUse::Repeat(answer)) => return ApiReply { answer, is_replay: true, closes_connection: false },
        Err(error) => return reply(error_answer(&error)),
    }

    let fault = shared.with(|state| state.faults.take(&request.method, &request.path));
    if let Some(FaultKind::Slow(pause)) = fault {
        tokio::time::sleep(pause).await;
    }
    let answer = match fault {
        Some(FaultKind::Status(status)) => error_answer(&ApiError::injected(status)),
        Some(FaultKind::After(status)) => {
            work(shared, request, route, names, form);
            error_answer(&ApiError::injected(status))
        }
        _ => work(shared, request, route, names, form),
    };
    if let Some(key) = key {
        shared.with(|state| state.keys.finish(key, &answer));
    }
    ApiReply { answer, is_replay: false, closes_connection: fault == Some(FaultKind::Close) }
}

fn work(shared: &Shared, request: &ApiRequest, route: &Route, names: Vec<String>, form: RequestForm) -> ApiAnswer {
    let cause = EventCause { request: Some(request.id.clone()), idempotency_key: request.idempotency_key.clone() };
    let outcome = shared.with(|state| {
        let version = ApiVersion::read(&request.version)?;
        let at = state.now();
        let paths = form.list("expand");
        state.cause = cause;
        let mut object = (route.handler)(&mut ApiCall { state, names, form, at })?;
        render(state, &mut object, &version);
        expand(state, &mut object, &paths, &version)?;
        Ok(object)
    });
    match outcome {
        Ok(object) => ApiAnswer { status: 200, body: wire::render(&object) },
        Err(error) => error_answer(&error),
    }
}

fn error_answer(error: &ApiError) -> ApiAnswer {
    ApiAnswer { status: error.status, body: wire::render(&error.body()) }
}

fn reply(answer: ApiAnswer) -> ApiReply {
    ApiReply { answer, is_replay: false, closes_connection: false }
}

/// The key: any test key is accepted. A live key is refused, so that a real one is never left here.
fn authenticate(header: Option<&str>) -> Result<String, ApiError> {
    let key = header.and_then(|header| {
        let (scheme, rest) = header.split_once(' ')?;
        match scheme.to_ascii_lowercase().as_str() {
            "bearer" => Some(rest.trim().to_owned()),
            "basic" => {
                let pair = String::from_utf8(data_encoding::BASE64.decode(rest.trim().as_bytes()).ok()?).ok()?;
                Some(pair.split(':').next().unwrap_or_default().to_owned())
            }
            _ => None,
        }
    });
    let Some(key) = key.filter(|key| !key.is_empty()) else {
        return Err(ApiError::unauthenticated(
            "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer \
             auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
        ));
    };
    if key.starts_with("sk_live_") || key.starts_with("rk_live_") {
        return Err(ApiError::unauthenticated(
            "This is a stand-in for Stripe, and the key is for live mode. Live keys are refused, so that none is left \
             here by mistake. Use any key that begins with sk_test_.",
        ));
    }
    if !(key.starts_with("sk_test_") || key.starts_with("rk_test_")) {
        return Err(ApiError::unauthenticated(
            "Invalid API Key provided. This stand-in for Stripe takes any key that begins with sk_test_ or rk_test_.",
        ));
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_test_key_is_taken_and_no_other() {
        for (header, expected) in [
            (Some("Bearer sk_test_1"), ""),
            (Some("bearer rk_test_1"), ""),
            (Some("Basic c2tfdGVzdF8xOg=="), ""),
            (None, "You did not provide an API key"),
            (Some("Bearer "), "You did not provide an API key"),
            (Some("Digest x"), "You did not provide an API key"),
            (Some("Bearer sk_live_1"), "This is a stand-in for Stripe, and the key is for live mode"),
            (Some("Basic c2tfbGl2ZV8xOg=="), "This is a stand-in for Stripe, and the key is for live mode"),
            (Some("Bearer pk_test_1"), "Invalid API Key provided"),
        ] {
            let message = authenticate(header).err().map(|error| error.message().to_owned()).unwrap_or_default();
            assert!(
                message.starts_with(expected) && message.is_empty() == expected.is_empty(),
                "{header:?}: {message}"
            );
        }
    }
}

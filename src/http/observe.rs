//! The one layer around every handler. It bounds what one client does at once, renders problems, adds the security headers,
//! measures the request and logs it. It is one layer and not five, because each layer costs time on every request.

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::audience::Audience;
use super::problem::Problem;
use super::refusals::RefusalCause;
use super::render::{Reader, render};
use super::request::{ClientAddress, Peer};
use super::security_headers;
use super::shares::Exhaustion;
use super::state::AppState;
use super::{caller, cookie, host, proxy_user, reader_language};
use crate::clock::Deadline;
use crate::config::{Config, Origin};
use crate::error::{Refused, Result};
use crate::metrics::{RefusalLabels, RequestLabels};

/// What all routes of a group have in common.
#[derive(Clone)]
pub(super) struct Group {
    pub state: AppState,
    pub audience: Audience,
    /// One of the functions of `security_headers`.
    pub add_headers: fn(&mut HeaderMap),
}

/// The layer of a group of routes.
pub(super) async fn observe(State(group): State<Group>, request: Request, next: Next) -> Response {
    respond(&group, request, next).await
}

/// The layer of the fallback for unknown paths.
pub(super) async fn observe_unknown_path(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let audience = Audience::of_unknown_path(request.uri());
    respond(&Group { state, audience, add_headers: security_headers::for_browsers }, request, next).await
}

async fn respond(group: &Group, mut request: Request, next: Next) -> Response {
    let started = Deadline::after(std::time::Duration::ZERO);
    let app = group.state.app();
    let client = request.extensions().get::<ClientAddress>().copied().unwrap_or(ClientAddress(None));
    request.extensions_mut().insert(client);
    let method = method_label(request.method());
    let route =
        request.extensions().get::<MatchedPath>().map_or_else(|| "none".into(), |path| path.as_str().to_owned());
    let reads_json = group.audience.reads_json(request.headers());
    let origin = request.headers().get(header::ORIGIN).cloned();
    let browser = (!reads_json).then(|| {
        let (headers, config) = (request.headers(), group.state.config());
        (cookie::session_of(headers, config), reader_language::of_browser(headers, config))
    });

    let mut begun = None;
    let response = match group.state.requests().take(client.key(), 1) {
        Ok(_under_way) => match admit(&group.state, &mut request, client) {
            Ok(()) => {
                let (response, session) = caller::answer(group.audience, client, next.run(request)).await;
                begun = session;
                response
            }
            Err(refused) => Problem::from(refused).into_response(),
        },
        Err(Exhaustion) => {
            app.metrics.refuse_client("requests", &client);
            let detail = "Too many of your requests are under way at once. Nothing was changed; try again shortly.";
            Problem::from(Refused::RateLimited { retry_after: 1, detail: detail.into() }).into_response()
        }
    };

    let problem = response.extensions().get::<Problem>().map(|problem| problem.status);
    let reader = match browser {
        None => Reader::Program,
        Some((session, language)) => Reader::of_page(&group.state, problem, session, language).await,
    };
    let mut response = render(response, group.audience, &reader);
    if let Some(session) = begun.filter(|_| !cookie::is_set(&app.config, response.headers()))
        && let Ok(cookie) = cookie::set(&app.config, Some(&session))
    {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    (group.add_headers)(response.headers_mut());
    if app.config.base_url.is_https() {
        security_headers::only_https(response.headers_mut());
    }
    let status = response.status().as_u16();
    let seconds = started.elapsed().as_secs_f64();
    tracing::debug!(event = "request", method, route, status, %client, seconds);
    if let Some(cause) = RefusalCause::of(status, &route) {
        app.metrics.refusals.get_or_create(&RefusalLabels { kind: cause.as_str() }).inc();
        let origin = origin.as_ref().filter(|_| cause == RefusalCause::Permission);
        let origin = origin.and_then(|origin| origin.to_str().ok());
        let expected = origin.map(|_| expected_origins(&app.config));
        group.state.refusals().log(cause, (&route, status), client, (origin, expected.as_deref()));
    }
    // A method that a route does not have is as made up as a path that there is not.
    let route = if status == 405 { "none".to_owned() } else { route };
    app.metrics.requests.get_or_create(&RequestLabels { method, route, status }).observe(seconds);
    response
}

/// Refuses a request whose headers leave open what it asks for. Otherwise tells the handlers whom a proxy names.
fn admit(state: &AppState, request: &mut Request, client: ClientAddress) -> Result<()> {
    if let Some(name) = repeated(request.headers()) {
        return Err(Refused::InvalidRequest(format!("There are two {name} headers: one was expected.")).into());
    }
    if let Some(refused) = host::refusal(request) {
        return Err(refused.into());
    }
    named_by_proxy(state, request, client)
}

/// Tells the handlers whom the proxy in front of us names. A header that may be forged is refused, and logged.
fn named_by_proxy(state: &AppState, request: &mut Request, client: ClientAddress) -> Result<()> {
    let peer = request.extensions().get::<Peer>().copied();
    match proxy_user::named(state.config(), request.headers(), peer) {
        Ok(user) => {
            user.map(|user| request.extensions_mut().insert(user));
            Ok(())
        }
        Err(refused) => {
            state.refusals().log(RefusalCause::Proxy, (request.uri().path(), 400), client, (None, None));
            Err(refused)
        }
    }
}

/// Where browsers may come from: the base URL, and the other origins that the operator allows.
fn expected_origins(config: &Config) -> String {
    let others = config.return_origins.iter().filter(|origin| **origin != config.base_url);
    std::iter::once(&config.base_url).chain(others).map(Origin::as_str).collect::<Vec<_>>().join(" ")
}

/// A header that is there twice although it may be there once. A proxy may have judged by one of them, and we by the other
/// (RFC 9112, section 3.2: two `Host` headers are refused).
fn repeated(headers: &HeaderMap) -> Option<&'static HeaderName> {
    static ONCE: [HeaderName; 4] = [header::HOST, header::AUTHORIZATION, header::CONTENT_TYPE, header::ORIGIN];
    ONCE.iter().find(|name| headers.get_all(*name).iter().nth(1).is_some())
}

/// A client may send any word as its method, and the metrics must keep a bounded number of labels.
fn method_label(method: &Method) -> &'static str {
    let known = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"];
    known.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}

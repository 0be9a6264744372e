//! What is read off a request before anyone handles it: who asks and from where, whether they read JSON, and how long
//! the answer took.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::{FromRequestParts, MatchedPath, Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;

use super::Rim;
use super::error::{self, Problem};
use super::guard;
use crate::clock::Deadline;
use crate::config::Config;
use crate::error::Refused;
use crate::metrics::RequestLabels;

/// The other end of the connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub SocketAddr);

/// Who the client is: the other end, or, when that is a trusted proxy, the nearest address in `X-Forwarded-For` that is
/// not one. Unspecified when a trusted proxy names the client in a way that cannot be read: whoever that is, it is not
/// the machine beside us.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClientAddress(pub IpAddr);

/// The variable part of a path. One that is no UTF-8 once it is decoded is told like any other mistake.
pub(super) struct Segment(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Segment, Problem> {
        let Ok(Path(text)) = Path::<String>::from_request_parts(parts, state).await else {
            let detail = "The path holds bytes that are no UTF-8: percent-encoded UTF-8 was expected.";
            return Err(Refused::InvalidRequest(detail.into()).into());
        };
        Ok(Segment(text))
    }
}

const UNKNOWN: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// Whether the caller reads JSON rather than a page: it says so in `Accept` without asking for HTML, or it calls the
/// service API, the webhook or a probe, which have no pages.
pub(super) fn wants_json(path: &str, headers: &HeaderMap) -> bool {
    if path.starts_with("/v1/") || path == "/v1" || path == "/billing/webhook" || path == "/readyz" {
        return true;
    }
    let accepts = |kind: &str| {
        let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        values
            .flat_map(|value| value.split(','))
            .any(|item| item.split(';').next().is_some_and(|media| media.trim().eq_ignore_ascii_case(kind)))
    };
    (accepts("application/json") || accepts("application/problem+json")) && !accepts("text/html")
}

/// Who reads the answers of a part of the URLs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Readers {
    /// Browsers too.
    Anybody,
    /// Only programs that come with a token, and Stripe.
    Programs,
}

/// What is done around every handler, in one layer, for each costs: names the client, writes a problem's body for whoever
/// asked, adds the headers that its readers need, measures the request, and writes a line for it.
pub(super) async fn around(State((rim, readers)): State<(Rim, Readers)>, mut request: Request, next: Next) -> Response {
    let started = Deadline::after(std::time::Duration::ZERO);
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0.ip());
    let client = client_of(peer, request.headers(), &rim.app.config);
    request.extensions_mut().insert(ClientAddress(client));
    let method = known_method(request.method());
    let route =
        request.extensions().get::<MatchedPath>().map_or_else(|| "none".into(), |path| path.as_str().to_owned());
    let asker =
        Asker { json: wants_json(request.uri().path(), request.headers()), service: is_service(request.uri().path()) };
    let response = next.run(request).await;
    let mut response = error::rendered(response, asker);
    match readers {
        Readers::Anybody => guard::add_headers(response.headers_mut()),
        Readers::Programs => guard::add_headers_for_programs(response.headers_mut()),
    }
    let status = response.status().as_u16();
    let seconds = started.elapsed().as_secs_f64();
    tracing::debug!(event = "request", method, route, status, %client, seconds);
    rim.app.metrics.requests.get_or_create(&RequestLabels { method, route, status }).observe(seconds);
    response
}

/// Who reads an answer.
#[derive(Clone, Copy)]
pub(super) struct Asker {
    /// A program, which reads JSON.
    pub json: bool,
    /// A caller of the service API.
    pub service: bool,
}

fn is_service(path: &str) -> bool {
    path.starts_with("/v1/")
}

/// A client may send any word as its method; the metrics keep a bounded number of them.
fn known_method(method: &axum::http::Method) -> &'static str {
    let known = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"];
    known.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}

fn client_of(peer: Option<IpAddr>, headers: &HeaderMap, config: &Config) -> IpAddr {
    let trusted = |address: &IpAddr| config.trusted_proxies.iter().any(|network| network.contains(address));
    let peer = peer.map_or(UNKNOWN, |address| address.to_canonical());
    if !trusted(&peer) || !headers.contains_key("x-forwarded-for") {
        return peer;
    }
    let values = headers.get_all("x-forwarded-for").iter().map(|value| value.to_str().unwrap_or("unreadable"));
    let items = values.flat_map(|value| value.split(',')).map(str::trim).filter(|item| !item.is_empty());
    // What stands to the left of an item that cannot be read is the client's own word.
    let named: Vec<IpAddr> = items.map(|item| forwarded(item).unwrap_or(UNKNOWN)).collect();
    let nearest = named.iter().rev().find(|address| !trusted(address));
    nearest.or(named.first()).copied().unwrap_or(peer)
}

/// An address as proxies write it: alone, in brackets, or with a port.
fn forwarded(item: &str) -> Option<IpAddr> {
    let bare = item.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(item);
    let address = bare.parse().ok().or_else(|| Some(item.parse::<SocketAddr>().ok()?.ip()))?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Need, Sources, load};

    #[test]
    fn only_a_trusted_proxy_names_the_client() {
        let loaded =
            load(&Sources::from_variables([("SPRITE_TRUSTED_PROXIES", "127.0.0.1/32,10.0.0.0/8")]), Need::Nothing);
        let config = loaded.unwrap().config;
        for (peer, forwarded, client) in [
            ("127.0.0.1", "", "127.0.0.1"),
            ("127.0.0.1", "203.0.113.7", "203.0.113.7"),
            ("127.0.0.1", "198.51.100.1, 203.0.113.7, 10.1.2.3", "203.0.113.7"),
            ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
            ("127.0.0.1", "nonsense", "0.0.0.0"),
            ("127.0.0.1", "127.0.0.1, unknown", "0.0.0.0"),
            ("127.0.0.1", "127.0.0.1, 203.0.113.7:4711", "203.0.113.7"),
            ("127.0.0.1", "127.0.0.1, [2001:db8::7]:4711", "2001:db8::7"),
            ("127.0.0.1", "[2001:db8::7], , 10.1.2.3,", "2001:db8::7"),
            ("127.0.0.1", "10.1.2.3", "10.1.2.3"),
            ("::ffff:127.0.0.1", "203.0.113.7", "203.0.113.7"),
        ] {
            let mut headers = HeaderMap::new();
            if !forwarded.is_empty() {
                headers.insert("x-forwarded-for", forwarded.parse().unwrap());
            }
            let found = client_of(Some(peer.parse().unwrap()), &headers, &config);
            assert_eq!(found, client.parse::<IpAddr>().unwrap(), "{peer} forwarding {forwarded:?}");
        }
    }

    #[test]
    fn a_browser_gets_pages_and_a_program_json() {
        for (path, accept, json) in [
            ("/dashboard", "text/html,application/xhtml+xml,*/*;q=0.8", false),
            ("/dashboard", "", false),
            ("/dashboard", "*/*", false),
            ("/billing/checkout", "application/json", true),
            ("/billing/checkout", "Application/JSON; q=0.9", true),
            ("/billing/checkout", "text/html, application/json", false),
            ("/v1/me", "text/html", true),
        ] {
            let mut headers = HeaderMap::new();
            if !accept.is_empty() {
                headers.insert(header::ACCEPT, accept.parse().unwrap());
            }
            assert_eq!(wants_json(path, &headers), json, "{path} {accept:?}");
        }
    }
}

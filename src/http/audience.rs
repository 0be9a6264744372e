//! Who calls a group of routes. It decides whether a problem is written as JSON or as a page. The router gives each group
//! its audience; nothing else looks at paths to find out.

use axum::http::{HeaderMap, Uri, header};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audience {
    /// People with a browser, and front ends that call the same addresses and ask for JSON.
    Browser,
    /// Callers of the service API.
    Service,
    /// Stripe, with its webhooks.
    Stripe,
    /// Probes of the machine.
    Machine,
}

impl Audience {
    /// Who calls an unknown path: what lies below `/v1` is for programs.
    pub(super) fn of_unknown_path(uri: &Uri) -> Audience {
        let path = uri.path();
        if path == "/v1" || path.starts_with("/v1/") { Audience::Service } else { Audience::Browser }
    }

    /// Whether this caller reads JSON rather than a page.
    pub(super) fn reads_json(self, headers: &HeaderMap) -> bool {
        match self {
            Audience::Browser => prefers_json(headers),
            Audience::Service | Audience::Stripe | Audience::Machine => true,
        }
    }
}

/// Whether `Accept` wants JSON more than a page (RFC 9110, section 12.5.1). Of what is wanted alike, what is named goes before
/// what a wildcard stands for, as scripts ask with `application/json, */*`; then a page goes first.
pub(super) fn prefers_json(headers: &HeaderMap) -> bool {
    let problem = wanted(headers, "application/problem+json").filter(|wanted| wanted.exactness == NAMED);
    let json = wanted(headers, "application/json").max(problem);
    json.is_some_and(|json| json.thousandths > 0) && json > wanted(headers, "text/html")
}

/// How much a kind of answer is wanted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Preference {
    /// The weight, `q`.
    thousandths: u16,
    /// How exactly `Accept` names the kind.
    exactness: u8,
}

/// The exactness of a kind that is named, and not by a wildcard.
const NAMED: u8 = 2;

/// How much `Accept` wants answers of this kind, by the range that names it most exactly; `None` if none does.
fn wanted(headers: &HeaderMap, kind: &str) -> Option<Preference> {
    let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let ranges = values.flat_map(|value| value.split(',')).filter_map(|item| {
        let mut parts = item.split(';').map(str::trim);
        let exactness = exactness(parts.next()?, kind)?;
        let weight = parts.filter_map(|part| part.split_once('=')).find(|(name, _)| name.eq_ignore_ascii_case("q"));
        Some((exactness, weight.map_or(1000, |(_, weight)| thousandths(weight))))
    });
    ranges.max().map(|(exactness, thousandths)| Preference { thousandths, exactness })
}

/// How exactly a range such as `text/*` names a kind.
fn exactness(range: &str, kind: &str) -> Option<u8> {
    let group = kind.split('/').next()?;
    match range.split_once('/')? {
        ("*", "*") => Some(0),
        (of, "*") if of.eq_ignore_ascii_case(group) => Some(1),
        _ if range.eq_ignore_ascii_case(kind) => Some(NAMED),
        _ => None,
    }
}

/// A weight (RFC 9110, section 12.4.2). One that cannot be read is as if it were not there.
fn thousandths(weight: &str) -> u16 {
    let (whole, part) = weight.split_once('.').unwrap_or((weight, ""));
    match whole {
        "0" => format!("{part:0<3}").get(..3).and_then(|part| part.parse().ok()).unwrap_or(1000),
        _ => 1000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_gets_pages_and_a_program_json() {
        for (audience, accept, json) in [
            (Audience::Browser, "text/html,application/xhtml+xml,*/*;q=0.8", false),
            (Audience::Browser, "", false),
            (Audience::Browser, "*/*", false),
            (Audience::Browser, "application/json", true),
            (Audience::Browser, "Application/JSON; q=0.9", true),
            (Audience::Browser, "text/html, application/json", false),
            (Audience::Browser, "application/json, text/html;q=0.5", true),
            (Audience::Browser, "text/html;q=0, application/json", true),
            (Audience::Browser, "application/json;q=0.2, text/html;q=0.25", false),
            (Audience::Browser, "application/json;q=0, */*", false),
            (Audience::Browser, "application/json;q=0", false),
            (Audience::Browser, "application/json;q=0.000", false),
            (Audience::Browser, "application/json;q=0.5, */*", false),
            (Audience::Browser, "application/json, text/plain, */*", true),
            (Audience::Browser, "application/*", true),
            (Audience::Browser, "application/problem+json", true),
            (Audience::Browser, "application/json;v=1;Q=0.9, text/*;q=0.8", true),
            (Audience::Browser, "text/html;q=much, application/json", false),
            (Audience::Service, "text/html", true),
        ] {
            let mut headers = HeaderMap::new();
            if !accept.is_empty() {
                headers.insert(header::ACCEPT, accept.parse().unwrap());
            }
            assert_eq!(audience.reads_json(&headers), json, "{audience:?} {accept:?}");
        }
    }

    #[test]
    fn an_unknown_path_below_v1_is_for_programs() {
        for (path, audience) in [
            ("/v1", Audience::Service),
            ("/v1/nothing", Audience::Service),
            ("/v10", Audience::Browser),
            ("/nothing", Audience::Browser),
        ] {
            assert_eq!(Audience::of_unknown_path(&path.parse().unwrap()), audience, "{path}");
        }
    }
}

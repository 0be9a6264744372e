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

/// Whether `Accept` names JSON and does not name HTML.
pub(super) fn prefers_json(headers: &HeaderMap) -> bool {
    let accepts = |kind: &str| {
        let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        values
            .flat_map(|value| value.split(','))
            .any(|item| item.split(';').next().is_some_and(|media| media.trim().eq_ignore_ascii_case(kind)))
    };
    (accepts("application/json") || accepts("application/problem+json")) && !accepts("text/html")
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

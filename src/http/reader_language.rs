//! The language in which a page answers: what the account chose, else what this browser chose by the switch at the foot of
//! each page, else what the browser asks for.

use axum::http::{HeaderMap, header};

use super::cookie;
use crate::config::Config;
use crate::language::Language;

/// What the browser chose or asks for.
pub(super) fn of_browser(headers: &HeaderMap, config: &Config) -> Language {
    let chosen = cookie::language_of(headers, config).and_then(|tag| Language::of_tag(&tag));
    chosen.unwrap_or_else(|| {
        let asked = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        Language::of_accept(asked.unwrap_or_default())
    })
}

//! `GET /accent.css`: the shop's colour, where the catalogue names one. Everything else of the style is the same for all shops.

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::IntoResponse;

use crate::error::Refused;
use crate::http::problem::HandlerResult;
use crate::http::state::AppState;

/// The catalogue may change with the next start.
pub(super) const FOR_AN_HOUR: HeaderValue = HeaderValue::from_static("public, max-age=3600");

/// Lighter on dark ground, so that links can be read there.
pub(crate) async fn show(State(state): State<AppState>) -> HandlerResult {
    let accent = state.catalog().shop.accent.as_deref();
    let accent = accent.ok_or_else(|| Refused::NotFound("This shop has no colour of its own.".into()))?;
    let css = format!(
        ":root {{ --fill: {accent}; --fill-deep: color-mix(in srgb, {accent} 80%, #000); --accent: {accent}; \
         --accent-deep: var(--fill-deep); --tint: color-mix(in srgb, {accent} 12%, #fff) }}\n\
         @media screen and (prefers-color-scheme: dark) {{ :root {{ --accent: color-mix(in srgb, {accent} 40%, #fff); \
         --accent-deep: color-mix(in srgb, {accent} 20%, #fff); --tint: color-mix(in srgb, {accent} 45%, #171e1b) }} }}\n"
    );
    let content_type = HeaderValue::from_static("text/css; charset=utf-8");
    Ok(([(header::CACHE_CONTROL, FOR_AN_HOUR), (header::CONTENT_TYPE, content_type)], css).into_response())
}

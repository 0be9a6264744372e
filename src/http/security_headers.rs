//! The security headers that every answer gets.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::error::{Fault, Result};

/// What every page may load (Content Security Policy Level 3): only our own files. `form-action` follows.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
    base-uri 'none'; frame-ancestors 'none'; form-action 'self'";

/// The policy of a page whose forms lead on to other origins, which are separated by spaces: `form-action` also governs where
/// a form is redirected to.
pub(super) fn policy_with_forms_to(origins: &str) -> Result<HeaderValue> {
    let policy = format!("{POLICY} {origins}");
    HeaderValue::from_str(&policy).map_err(|cause| Fault::new("a page's policy cannot be written", cause).into())
}

/// For answers that a browser may show: no sniffing, no framing, no referrer to other sites, and a policy whose forms lead to
/// us alone. A page may have set a policy or a referrer policy of its own.
pub(super) fn for_browsers(headers: &mut HeaderMap) {
    headers.reserve(8);
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    for_programs(headers);
}

/// For a year, browsers do not even ask over plain HTTP (RFC 6797). Not for subdomains, which may be of other programs.
pub(super) fn only_https(headers: &mut HeaderMap) {
    headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
}

/// For answers to programs with a token and to Stripe: the content type is not guessed, and nothing is stored unless the
/// handler allowed it. The other headers are about pages.
pub(super) fn for_programs(headers: &mut HeaderMap) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

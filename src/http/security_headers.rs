//! The security headers that every answer gets.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

/// For answers that a browser may show: no sniffing, no framing, no referrer to other sites, and pages that load only our
/// own files (Content Security Policy Level 3). A page may have set a stricter referrer policy. `form-action` also governs where a form is redirected to, and a checkout
/// page may live under the seller's own domain.
pub(super) fn for_browsers(headers: &mut HeaderMap) {
    const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
        base-uri 'none'; frame-ancestors 'none'; form-action 'self' https: http://127.0.0.1:* http://localhost:*";
    headers.reserve(8);
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if !headers.contains_key(header::REFERRER_POLICY) {
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    }
    for_programs(headers);
}

/// For answers to programs with a token and to Stripe: the content type is not guessed, and nothing is stored unless the
/// handler allowed it. The other headers are about pages.
pub(super) fn for_programs(headers: &mut HeaderMap) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

//! TLS as a client: which certificates are trusted, and which library does the cryptography. Calls to Stripe and outgoing
//! webhooks share it.

use std::sync::Arc;

use rustls::RootCertStore;
use tracing::warn;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// `ring` is named here because ureq, built without a provider of its own, would panic at the first request.
pub fn config() -> TlsConfig {
    TlsConfig::builder()
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .root_certs(root_certificates())
        .build()
}

/// The system's certificates (`SSL_CERT_FILE` and `SSL_CERT_DIR` are honoured), or Mozilla's when none of them loads.
fn root_certificates() -> RootCerts {
    let found = rustls_native_certs::load_native_certs();
    for problem in &found.errors {
        warn!("root certificates: {problem}");
    }
    let (usable, _) = RootCertStore::empty().add_parsable_certificates(found.certs.iter().cloned());
    if usable == 0 {
        warn!("the system has no readable root certificates; Mozilla's, which are built in, are used instead");
        return RootCerts::WebPki;
    }
    let certificates: Vec<_> =
        found.certs.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect();
    RootCerts::new_with_certs(&certificates)
}

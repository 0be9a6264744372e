//! TLS as a client: which certificates are trusted, and which library does the cryptography. Calls to Stripe, outgoing
//! webhooks and mail share it. And the settings that clients of others' interfaces share.

pub mod certificate;

use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use tracing::warn;
use ureq::config::ConfigBuilder;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::typestate::AgentScope;
use ureq::{Agent, Proxy};

/// `ring` is named here because ureq, built without a provider of its own, would panic at the first request.
pub fn config() -> TlsConfig {
    TlsConfig::builder()
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .root_certs(root_certificates())
        .build()
}

/// What every client of another's JSON interface has in common: no redirect is followed, which would carry a secret elsewhere,
/// and every status is an answer. Over https only, the system's proxy applies (HTTPS_PROXY, ALL_PROXY and NO_PROXY); what is
/// reached by http is nearby.
pub fn json_client(is_secure: bool, connect_patience: Duration) -> ConfigBuilder<AgentScope> {
    let client = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .https_only(is_secure)
        .proxy(if is_secure { Proxy::try_from_env() } else { None })
        .user_agent(concat!("till/", env!("CARGO_PKG_VERSION")))
        .accept("application/json")
        .timeout_resolve(Some(connect_patience))
        .timeout_connect(Some(connect_patience));
    if is_secure { client.tls_config(config()) } else { client }
}

fn root_certificates() -> RootCerts {
    let Some(found) = system_certificates() else { return RootCerts::WebPki };
    let certificates: Vec<_> = found.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect();
    RootCerts::new_with_certs(&certificates)
}

/// The system's certificates that can be used (`SSL_CERT_FILE` and `SSL_CERT_DIR` are honoured). `None` when none of them
/// loads: then Mozilla's are trusted.
pub fn system_certificates() -> Option<Vec<CertificateDer<'static>>> {
    let found = rustls_native_certs::load_native_certs();
    for problem in &found.errors {
        warn!(event = "root_certificate_unreadable", error = %problem);
    }
    let is_usable = |certificate: &CertificateDer<'static>| RootCertStore::empty().add(certificate.clone()).is_ok();
    let usable: Vec<_> = found.certs.into_iter().filter(is_usable).collect();
    if usable.is_empty() {
        warn!(event = "root_certificates_built_in");
        return None;
    }
    Some(usable)
}

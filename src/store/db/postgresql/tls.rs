//! TLS to the server, with the words that libpq has for it (PostgreSQL, "SSL Support"): `sslmode`, `sslrootcert`, `sslcert` and
//! `sslkey` of the connection string.

use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres::config::SslMode;
use tokio_postgres::{AsyncMessage, Client, Config, Error, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::Fault;
use crate::store::db::fault::DbResult;
use crate::tls::system_certificates;

/// What moves the bytes of a connection. `None`: it has ended.
pub(super) type Connection = Box<dyn FnMut(&mut Context<'_>) -> Poll<Option<Result<AsyncMessage, Error>>> + Send>;

/// How connections are protected.
#[derive(Clone)]
pub(super) enum Tls {
    Never,
    /// As the configuration's mode says: where the server offers it, or always.
    With(SslMode, MakeRustlsConnect),
}

/// How much of the server's certificate is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Check {
    Nothing,
    /// That an authority which is trusted issued it.
    Issuer,
    /// That, and that it is of the host that is called.
    Full,
}

/// What a connection string says of TLS.
#[derive(Debug, Default, PartialEq, Eq)]
struct Parameters {
    mode: Option<String>,
    roots: Option<String>,
    certificate: Option<String>,
    key: Option<String>,
}

impl Tls {
    /// What a connection string says of it, and the string without these words, some of which the driver does not know.
    pub(super) fn of(url: &str) -> DbResult<(String, Tls)> {
        let (rest, parameters) = Parameters::taken_from(url);
        let check = |check| if parameters.roots.is_some() { Check::Issuer } else { check };
        let (mode, check) = match parameters.mode.as_deref() {
            Some("disable") => return Ok((rest, Tls::Never)),
            None | Some("prefer" | "allow") => (SslMode::Prefer, Check::Nothing),
            // With a file of authorities as verify-ca, as libpq does it.
            Some("require") => (SslMode::Require, check(Check::Nothing)),
            Some("verify-ca") => (SslMode::Require, Check::Issuer),
            Some("verify-full") => (SslMode::Require, Check::Full),
            Some(other) => {
                let expected = "expected disable, allow, prefer, require, verify-ca or verify-full";
                return Err(Fault::bare(format!("sslmode in SPRITE_DATABASE is {other:?}: {expected}")));
            }
        };
        let tls = MakeRustlsConnect::new(client_config(&parameters, check)?);
        Ok((rest, Tls::With(mode, tls)))
    }

    /// A connection, and what moves its bytes.
    pub(super) async fn connect(&self, config: &Config) -> Result<(Client, Connection), Error> {
        let mut config = config.clone();
        match self {
            Tls::Never => {
                let (client, mut connection) = config.ssl_mode(SslMode::Disable).connect(NoTls).await?;
                Ok((client, Box::new(move |context| connection.poll_message(context))))
            }
            Tls::With(mode, tls) => {
                let (client, mut connection) = config.ssl_mode(*mode).connect(tls.clone()).await?;
                Ok((client, Box::new(move |context| connection.poll_message(context))))
            }
        }
    }
}

impl Parameters {
    fn taken_from(url: &str) -> (String, Parameters) {
        let mut found = Parameters::default();
        // Not in the password, which may have this sign as well.
        let (login, rest) = url.split_at(url.find('@').unwrap_or(0));
        let Some((place, query)) = rest.split_once('?') else { return (url.to_owned(), found) };
        let mut kept: Vec<&str> = vec![];
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = || Some(percent_encoding::percent_decode_str(value).decode_utf8_lossy().into_owned());
            match name {
                "sslmode" => found.mode = value(),
                "sslrootcert" => found.roots = value(),
                "sslcert" => found.certificate = value(),
                "sslkey" => found.key = value(),
                _ => kept.push(pair),
            }
        }
        let mark = if kept.is_empty() { "" } else { "?" };
        (format!("{login}{place}{mark}{}", kept.join("&")), found)
    }
}

fn client_config(parameters: &Parameters, check: Check) -> DbResult<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let cannot = |cause| Fault::new("TLS to PostgreSQL cannot be set up", cause);
    let verifier = Verifier {
        checked: match check {
            Check::Nothing => None,
            Check::Issuer | Check::Full => {
                let roots = Arc::new(roots(parameters.roots.as_deref())?);
                let verifier = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider)).build();
                Some(verifier.map_err(|cause| Fault::new("no authority is trusted", cause))?)
            }
        },
        with_name: check == Check::Full,
        provider: Arc::clone(&provider),
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(cannot)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    match (&parameters.certificate, &parameters.key) {
        (Some(certificate), Some(key)) => {
            let key = PrivateKeyDer::from_pem_file(key).map_err(|cause| unreadable("sslkey", key, cause))?;
            config.with_client_auth_cert(certificates("sslcert", certificate)?, key).map_err(cannot)
        }
        (None, None) => Ok(config.with_no_client_auth()),
        _ => Err(Fault::bare("SPRITE_DATABASE has one of sslcert and sslkey: both were expected, or none")),
    }
}

/// The authorities of a file; without one, or with the word `system`, those that the system trusts.
fn roots(file: Option<&str>) -> DbResult<RootCertStore> {
    let found = match file {
        None | Some("system") => system_certificates().ok_or_else(|| {
            Fault::bare("the system has no certificates of authorities: name a file of them with sslrootcert=…")
        })?,
        Some(file) => certificates("sslrootcert", file)?,
    };
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found);
    Ok(roots)
}

fn certificates(name: &str, file: &str) -> DbResult<Vec<CertificateDer<'static>>> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
    match found {
        Ok(found) if found.is_empty() => Err(Fault::bare(format!("{name}={file} holds no certificate in PEM form"))),
        Ok(found) => Ok(found),
        Err(cause) => Err(unreadable(name, file, cause)),
    }
}

fn unreadable(name: &str, file: &str, cause: rustls::pki_types::pem::Error) -> Fault {
    Fault::new(format!("{name}={file} in SPRITE_DATABASE cannot be read"), cause)
}

/// Checks as much of a certificate as the mode asks for. That the server has its key is checked always.
#[derive(Debug)]
struct Verifier {
    checked: Option<Arc<WebPkiServerVerifier>>,
    with_name: bool,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        use CertificateError::{NotValidForName, NotValidForNameContext};
        let Some(checked) = &self.checked else { return Ok(ServerCertVerified::assertion()) };
        match checked.verify_server_cert(certificate, between, name, ocsp, now) {
            Err(rustls::Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. }))
                if !self.with_name =>
            {
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_driver_does_not_know_of_tls_is_taken_out_of_the_connection_string() {
        let url = "postgres://a@one,two/till?sslmode=verify-ca&connect_timeout=3&sslrootcert=%2Fetc%2Froot.crt";
        let (rest, parameters) = Parameters::taken_from(url);
        assert_eq!(rest, "postgres://a@one,two/till?connect_timeout=3");
        assert_eq!(
            (parameters.mode.as_deref(), parameters.roots.as_deref()),
            (Some("verify-ca"), Some("/etc/root.crt"))
        );
        assert_eq!(Parameters::taken_from("postgres://a/b?sslmode=require").0, "postgres://a/b");
        let (rest, parameters) = Parameters::taken_from("postgres://a:p?sslmode=x&y@b/c?sslmode=require");
        assert_eq!((rest.as_str(), parameters.mode.as_deref()), ("postgres://a:p?sslmode=x&y@b/c", Some("require")));
        for (words, said) in [
            ("sslmode=verified", "expected disable"),
            ("sslmode=verify-full&sslrootcert=/no/such.crt", "sslrootcert=/no/such.crt"),
            ("sslcert=/a.crt", "sslkey"),
        ] {
            let fault = Tls::of(&format!("postgres://a/b?{words}")).err().unwrap().to_string();
            assert!(fault.contains(said), "{fault}");
        }
    }
}

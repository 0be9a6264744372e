//! Hands letters to the mail server, over SMTP, bounded in time. What the server says about the letter is kept apart from
//! what it says about us: a password that is wrong is not the letter's fault, so the letter waits until the operator mends it.
//! Blocking: never call it on an asynchronous thread.

use std::io;
use std::time::Duration;

use lettre::Message;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{Certificate, CertificateStore, SmtpConnection, TlsParameters};
use lettre::transport::smtp::extension::ClientId;

use crate::config::{MailConfig, SmtpServer, TlsMode};
use crate::error::Fault;
use crate::tls;

/// For each step: to connect, to send a command, to wait for its answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// For the end of the conversation, of which nothing depends.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(1);
/// Characters of an answer or an error that are kept.
const DETAIL_LIMIT: usize = 200;

/// A way to the mail server.
#[derive(Clone)]
pub struct MailSender {
    server: SmtpServer,
    tls: Option<TlsParameters>,
    client: ClientId,
}

/// Why a letter was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailRefusal {
    /// Whether trying again is of no use: the server refused this letter for good.
    pub is_final: bool,
    /// Whether the server was spoken to at all.
    pub is_answered: bool,
    /// What it said, or why there was no answer: one line, without links.
    pub detail: String,
}

impl MailSender {
    /// Certificates are read now. `host` is what we call ourselves.
    pub fn new(config: &MailConfig, host: &str) -> Result<MailSender, Fault> {
        let server = config.server.clone();
        let tls = match server.tls {
            TlsMode::Absent => None,
            TlsMode::Implicit | TlsMode::StartTls => Some(parameters(&server.host)?),
        };
        let client = match url::Host::parse(host) {
            Ok(url::Host::Ipv4(address)) => ClientId::Ipv4(address),
            Ok(url::Host::Ipv6(address)) => ClientId::Ipv6(address),
            Ok(url::Host::Domain(name)) => ClientId::Domain(name),
            Err(_) => ClientId::default(),
        };
        Ok(MailSender { server, tls, client })
    }

    /// The server as people read it, without the password.
    pub fn server(&self) -> String {
        let SmtpServer { host, port, tls, .. } = &self.server;
        let tls = match tls {
            TlsMode::Implicit => "TLS",
            TlsMode::StartTls => "STARTTLS",
            TlsMode::Absent => "without TLS",
        };
        format!("{host}:{port} ({tls})")
    }

    /// Hands one letter over.
    pub fn send(&self, message: &Message) -> Result<(), MailRefusal> {
        let mut connection = self.connect().map_err(|(error, is_answered)| MailRefusal {
            is_final: false,
            is_answered,
            detail: detail(&error),
        })?;
        let sent = connection.send(message.envelope(), &message.formatted());
        match sent {
            Ok(_) => {
                // The letter is the server's now, and how the conversation ends does not matter.
                let _is_set = connection.set_timeout(Some(FAREWELL_TIMEOUT));
                let _ended = connection.quit();
                Ok(())
            }
            Err(error) => {
                // A client's error: the server cannot take such an address.
                let is_final = error.is_permanent() || error.is_client();
                Err(MailRefusal { is_final, is_answered: true, detail: detail(&error) })
            }
        }
    }

    /// Greets the server, encrypts, and signs in. An error says too whether the server answered.
    fn connect(&self) -> Result<SmtpConnection, (Error, bool)> {
        let SmtpServer { host, port, tls, credentials } = &self.server;
        let wrapper = self.tls.as_ref().filter(|_| *tls == TlsMode::Implicit);
        let address = (host.as_str(), *port);
        let mut connection = SmtpConnection::connect(address, Some(TIMEOUT), &self.client, wrapper, None)
            .map_err(|error| (error, false))?;
        if let Some(parameters) = self.tls.as_ref().filter(|_| *tls == TlsMode::StartTls) {
            connection.starttls(parameters, &self.client).map_err(|error| (error, true))?;
        }
        if let Some((user, password)) = credentials {
            let credentials = Credentials::new(user.clone(), password.reveal().to_owned());
            connection.auth(DEFAULT_MECHANISMS, &credentials).map_err(|error| (error, true))?;
        }
        Ok(connection)
    }
}

/// TLS with the same certificates as towards Stripe.
fn parameters(host: &str) -> Result<TlsParameters, Fault> {
    let cannot = |cause| Fault::new("TLS to the mail server cannot be prepared", cause);
    let mut builder = TlsParameters::builder(host.to_owned());
    match tls::system_certificates() {
        None => builder = builder.certificate_store(CertificateStore::WebpkiRoots),
        Some(certificates) => {
            builder = builder.certificate_store(CertificateStore::None);
            for certificate in certificates {
                builder = builder.add_root_certificate(Certificate::from_der(certificate.to_vec()).map_err(cannot)?);
            }
        }
    }
    builder.build_rustls().map_err(cannot)
}

/// One line for the operator. A server may repeat what it refuses, so what follows a link's beginning is cut off.
fn detail(error: &Error) -> String {
    let text = match is_timeout(error) {
        true => format!("the mail server did not answer within {} s", TIMEOUT.as_secs()),
        false => error.to_string(),
    };
    let text = text.split("http").next().unwrap_or_default();
    let text: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    text.trim().chars().take(DETAIL_LIMIT).collect()
}

/// A read that waits too long is reported as one that would block (socket(7), `SO_RCVTIMEO`).
fn is_timeout(error: &Error) -> bool {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    causes
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| matches!(cause.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock))
}

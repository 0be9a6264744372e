//! `till serve`: the appliance, until it is told to stop.

use std::net::{SocketAddr, TcpListener};

use clap::Args;
use listenfd::ListenFd;
use sd_notify::NotifyState;

use super::running::{self, Running};
use super::settings::{self, Books};
use super::signals::Signals;
use super::{Done, Failure, logging};
use crate::app::App;
use crate::clock::Clock;
use crate::config::{Config, Loaded, Need, Sources};
use crate::error::Fault;
use crate::store::Lock;

/// Run the appliance: pages, API, webhooks
///
/// Configured by SPRITE_* variables; SPRITE_STRIPE_SECRET_KEY and SPRITE_STRIPE_WEBHOOK_SECRET are needed. A flag
/// goes before its variable. All faults of the configuration are listed at once. A socket that systemd hands over is
/// used instead of the listen address. SIGTERM or Ctrl-C ends it within ten seconds, finishing what is under way. One
/// appliance at a time on one database; the other commands work beside it.
#[derive(Args)]
#[command(after_help = "Example:\n  SPRITE_STRIPE_SECRET_KEY=sk_test_… SPRITE_STRIPE_WEBHOOK_SECRET=whsec_… \\\n    \
    till serve --database /var/lib/till/till.db --base-url https://pay.example.com")]
pub(super) struct Serve {
    /// Address to bind, instead of SPRITE_LISTEN (else 127.0.0.1:8080)
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// The public origin that browsers and Stripe see, instead of SPRITE_BASE_URL (else http:// and the listen address)
    #[arg(long, value_name = "ORIGIN")]
    base_url: Option<String>,
    #[command(flatten)]
    books: Books,
    /// Log level or filter, instead of SPRITE_LOG (else info)
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// text, json, or auto (text on a terminal), instead of SPRITE_LOG_FORMAT (else auto)
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
}

impl Serve {
    pub(super) fn run(&self) -> Done {
        // Before there is a second thread, because it takes its variables out of the environment.
        let handed_over = socket_from_systemd()?;
        let signals = Signals::listen()?;
        let mut sources = Sources::from_process(self.flags());
        let Loaded { config, .. } = settings::load(&sources, Need::StripeKeyAndWebhookSecret)?;

        let path = settings::database_path(&config)?;
        let lock = Lock::take(&path, &Clock::System)?;
        let listener = match handed_over {
            Some(listener) => listener,
            None => running::bind(config.listen)?,
        };
        let loaded = with_address(&mut sources, config, running::address_of(&listener)?)?;
        logging::start(&loaded.config)?;
        let app = App::open(loaded.config, Clock::System)?;
        warn(&app, &loaded.warnings);
        let running = Running::start(app, listener)?;

        let (url, listen) = (running.app().config.base_url.as_str(), running.address());
        let (database, version) = (path.display(), env!("CARGO_PKG_VERSION"));
        tracing::info!(event = "ready", url, %listen, %database, version);
        notify(NotifyState::Ready);
        let signal = signals.wait();
        tracing::info!(event = "stopping", signal);
        notify(NotifyState::Stopping);
        running.stop();
        drop(lock);
        tracing::info!(event = "stopped");
        Ok(())
    }

    fn flags(&self) -> std::collections::BTreeMap<String, String> {
        let mut flags = self.books.flags();
        flags.extend(settings::flags([
            ("SPRITE_LISTEN", &self.listen),
            ("SPRITE_BASE_URL", &self.base_url),
            ("SPRITE_LOG", &self.log),
            ("SPRITE_LOG_FORMAT", &self.log_format),
        ]));
        flags
    }
}

/// The configuration for the address that was got in the end: from port 0, or from systemd, it is another than the one
/// configured, and the base URL may follow from it.
fn with_address(sources: &mut Sources, config: Config, address: SocketAddr) -> Result<Loaded, Failure> {
    if address != config.listen {
        sources.flags.insert("SPRITE_LISTEN".to_owned(), address.to_string());
    }
    settings::load(sources, Need::StripeKeyAndWebhookSecret)
}

/// The one socket that systemd handed over, if it did.
fn socket_from_systemd() -> Result<Option<TcpListener>, Fault> {
    let mut handed_over = ListenFd::from_env();
    if handed_over.len() > 1 {
        let count = handed_over.len();
        return Err(Fault::bare(format!("systemd handed {count} sockets over: one ListenStream= was expected")));
    }
    handed_over
        .take_tcp_listener(0)
        .map_err(|cause| Fault::new("systemd handed over something else than a listening TCP socket", cause))
}

fn warn(app: &App, warnings: &[String]) {
    for detail in warnings {
        tracing::warn!(event = "configuration_warning", detail);
    }
    for (key, variable) in app.catalog.missing_price_ids() {
        tracing::warn!(event = "price_missing", key, variable);
    }
}

/// Tells the service manager, where there is one.
fn notify(state: NotifyState<'_>) {
    if let Err(cause) = sd_notify::notify(&[state]) {
        tracing::warn!(event = "service_manager_not_told", %cause);
    }
}

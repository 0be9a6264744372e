//! `till serve`: runs until a signal stops it.

use std::net::{SocketAddr, TcpListener};

use clap::Args;
use listenfd::ListenFd;
use sd_notify::NotifyState;

use super::service::{self, Service};
use super::settings::{self, DatabaseArgs};
use super::signals::Signals;
use super::{CommandError, CommandResult, logging};
use crate::app::App;
use crate::clock::Clock;
use crate::config::{Config, LoadedConfig, Need, Sources};
use crate::error::{Fault, Result};
use crate::store::Lock;
use crate::usecase::operator::clock;
use crate::usecase::operator::kept_prices::{self, PriceDifference};

/// Run till: pages, API, webhooks
///
/// Configured by SPRITE_* variables, of which SPRITE_STRIPE_SECRET_KEY is required. Without SPRITE_STRIPE_WEBHOOK_SECRET
/// it takes no webhooks and asks Stripe for its events every 30 seconds, so no port need be open to the world. A flag
/// overrides its variable. All faults of the configuration are listed at once. A socket passed by systemd is used instead
/// of the listen address. SIGTERM or Ctrl-C stops it within ten seconds; requests under way are finished. Only
/// one till serve runs on a database at a time; all other commands may run beside it.
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
    database: DatabaseArgs,
    /// Log level or filter, instead of SPRITE_LOG (else info)
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// text, json, or auto (text on a terminal), instead of SPRITE_LOG_FORMAT (else auto)
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
}

impl Serve {
    pub(super) fn run(&self) -> CommandResult {
        // Before there is a second thread, because it removes variables from the environment.
        let socket = socket_from_systemd()?;
        let signals = Signals::listen()?;
        let mut sources = Sources::from_process(self.flags());
        let LoadedConfig { config, .. } = settings::load(&sources, Need::Serve)
            .map_err(|error| with_first_steps(error, &sources))?;

        let path = config.database.clone();
        let lock = Lock::take(&path, &Clock::System)?;
        let listener = match socket {
            Some(listener) => listener,
            None => service::bind(config.listen)?,
        };
        let loaded = with_address(&mut sources, config, service::address_of(&listener)?)?;
        logging::start(&loaded.config)?;
        let app = sell_as_charged(App::open(loaded.config, Clock::System)?)?;
        clock::settle(&app);
        settings::confirm_account(&app)?;
        warn(&app, &loaded.warnings);
        let service = Service::start(app, listener)?;

        let url = service.app().config.base_url.as_str();
        let listen = service.address();
        let database = path.display();
        let version = env!("TILL_VERSION");
        tracing::info!(event = "ready", url, %listen, %database, version);
        notify(NotifyState::Ready);
        let signal = signals.wait();
        tracing::info!(event = "stopping", signal);
        notify(NotifyState::Stopping);
        service.stop();
        drop(lock);
        tracing::info!(event = "stopped");
        Ok(())
    }

    fn flags(&self) -> std::collections::BTreeMap<String, String> {
        let mut flags = self.database.flags();
        flags.extend(settings::flags([
            ("SPRITE_LISTEN", &self.listen),
            ("SPRITE_BASE_URL", &self.base_url),
            ("SPRITE_LOG", &self.log),
            ("SPRITE_LOG_FORMAT", &self.log_format),
        ]));
        flags
    }
}

/// The error says how to begin, where nothing is configured yet.
fn with_first_steps(error: CommandError, sources: &Sources) -> CommandError {
    match error {
        CommandError::Usage(mut faults) if sources.env.is_empty() && sources.credentials_directory.is_none() => {
            faults.push(
                "nothing is configured yet. till setup asks for what is needed, sets Stripe up and writes the file of \
                 variables; till demo shows everything without an account and without configuration"
                    .to_owned(),
            );
            CommandError::Usage(faults)
        }
        error => error,
    }
}

/// The configuration for the actual address. With port 0 or a socket from systemd it differs from the configured one, and
/// the base URL may follow from it.
fn with_address(sources: &mut Sources, config: Config, address: SocketAddr) -> CommandResult<LoadedConfig> {
    if address != config.listen {
        sources.flags.insert("SPRITE_LISTEN".to_owned(), address.to_string());
    }
    settings::load(sources, Need::Serve)
}

/// The socket that systemd passed, if it did.
fn socket_from_systemd() -> Result<Option<TcpListener>, Fault> {
    let mut sockets = ListenFd::from_env();
    if sockets.len() > 1 {
        let count = sockets.len();
        return Err(Fault::bare(format!("systemd passed {count} sockets: one ListenStream= was expected")));
    }
    sockets
        .take_tcp_listener(0)
        .map_err(|cause| Fault::new("systemd passed something other than a listening TCP socket", cause))
}

fn warn(app: &App, warnings: &[String]) {
    for detail in warnings {
        tracing::warn!(event = "configuration_warning", detail);
    }
    if let Some(detail) = app.config.stripe.polling() {
        tracing::warn!(event = "stripe_polled", detail);
    }
    if let Some(what) = app.store.file_system_fault() {
        tracing::warn!(event = "file_system_unsafe", what);
    }
    for (key, variable) in app.catalog.missing_price_ids() {
        tracing::warn!(event = "price_missing", key, variable);
    }
}

/// Buyers see what Stripe will charge, where that is kept and the catalogue says something else.
fn sell_as_charged(app: App) -> Result<App> {
    let (catalog, different) = kept_prices::as_charged(&app)?;
    for PriceDifference { key, price, currency, expected, charged } in &different {
        let advice = "pages show what Stripe charges: correct the catalogue, or see till check";
        tracing::warn!(event = "price_differs", key, price, currency, catalog = expected, stripe = charged, advice);
    }
    match different.as_slice() {
        [] => Ok(app),
        _ => Ok(app.with_catalog(catalog)?),
    }
}

/// Tells the service manager, if there is one.
fn notify(state: NotifyState<'_>) {
    if let Err(cause) = sd_notify::notify(&[state]) {
        tracing::warn!(event = "service_manager_not_told", %cause);
    }
}

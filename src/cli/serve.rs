//! `till serve`: runs until a signal stops it.

use std::net::SocketAddr;

use clap::Args;
use sd_notify::NotifyState;

use super::passed_sockets::passed_sockets;
use super::service::{self, Service};
use super::settings::{self, DatabaseArgs};
use super::signals::Signals;
use super::watchdog::notify;
use super::{CommandError, CommandResult, logging};
use crate::app::App;
use crate::clock::Clock;
use crate::config::{Config, LoadedConfig, Need, Sources};
use crate::error::{Fault, Result};
use crate::http::server::Listener;
use crate::store::Lock;
use crate::usecase::operator::clock;
use crate::usecase::operator::kept_prices::{self, PriceDifference};

/// Run till: pages, API, webhooks
///
/// Configured by SPRITE_* variables, of which SPRITE_STRIPE_SECRET_KEY is required. Without SPRITE_STRIPE_WEBHOOK_SECRET
/// it takes no webhooks and asks Stripe for its events every 30 seconds, so no port need be open to the world. A flag
/// overrides its variable. All faults of the configuration are listed at once. Sockets passed by systemd are used instead
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
        let passed = passed_sockets()?;
        let signals = Signals::listen()?;
        let mut sources = Sources::from_process(self.flags());
        sources.has_only_unix_sockets =
            !passed.is_empty() && passed.iter().all(|listener| matches!(listener, Listener::Local(_)));
        let LoadedConfig { config, .. } =
            settings::load(&sources, Need::Serve).map_err(|error| with_first_steps(error, &sources))?;

        let database = config.database.clone();
        let lock = Lock::share(&database, "till serve", &Clock::System)?;
        let listeners = match passed.is_empty() {
            true => vec![Listener::Network(service::bind(config.listen)?)],
            false => passed,
        };
        let listen = listeners.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let loaded = with_address(&mut sources, config, &listeners)?;
        logging::start(&loaded.config)?;
        let app = sell_as_charged(App::open(loaded.config, Clock::System)?)?;
        clock::settle(&app);
        refuse_reader(&app)?;
        settings::confirm_account(&app)?;
        warn(&app, &loaded.warnings);
        let service = Service::start(app, listeners)?;

        let url = service.app().config.base_url.as_str();
        let version = env!("TILL_VERSION");
        tracing::info!(event = "ready", url, listen, %database, version);
        notify(&[NotifyState::Ready, NotifyState::Status(&format!("serving {url} on {listen}"))]);
        let signal = signals.wait();
        tracing::info!(event = "stopping", signal);
        notify(&[NotifyState::Stopping]);
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
fn with_address(sources: &mut Sources, config: Config, listeners: &[Listener]) -> CommandResult<LoadedConfig> {
    let address = first_address(listeners)?;
    if let Some(address) = address.filter(|address| *address != config.listen) {
        sources.flags.insert("SPRITE_LISTEN".to_owned(), address.to_string());
    }
    settings::load(sources, Need::Serve)
}

fn first_address(listeners: &[Listener]) -> Result<Option<SocketAddr>, Fault> {
    for listener in listeners {
        let address = listener.address().map_err(|cause| Fault::new("the address of a socket is unknown", cause))?;
        if address.is_some() {
            return Ok(address);
        }
    }
    Ok(None)
}

/// Refuses a role of a server's database that may not write the ledger; another right that it lacks is a warning.
fn refuse_reader(app: &App) -> CommandResult {
    // A server that does not answer now may do so when it is needed.
    let missing = app.store.server_report().ok().flatten().map(|report| report.missing_rights).unwrap_or_default();
    let (of_books, others): (Vec<String>, Vec<String>) = missing
        .into_iter()
        .filter(|right| !right.starts_with("CREATE"))
        .partition(|right| right.ends_with(" on the table books") && !right.starts_with("DELETE"));
    if !of_books.is_empty() {
        let lacking = of_books.join(", ");
        return Err(CommandError::Failed(format!(
            "the role in SPRITE_DATABASE lacks {lacking}: GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public \
             TO the role, or let it own them"
        )));
    }
    if !others.is_empty() {
        tracing::warn!(event = "rights_missing", rights = others.join(", "));
    }
    Ok(())
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

//! `till demo`: everything in one process, with no account and no configuration. It runs the real program against the Stripe
//! stand-in, and ignores the environment, so that it starts the same everywhere.

mod history;

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use clap::Args;

use history::PastEntry;

use crate::app::App;
use crate::catalog::{Catalog, price_id_variable};
use crate::cli::folder::Folder;
use crate::cli::output::print;
use crate::cli::service::{self, Service, reachable};
use crate::cli::signals::Signals;
use crate::cli::{CommandResult, eprint_lines, logging, sandbox, settings};
use crate::clock::Clock;
use crate::config::{Config, Need, Origin, Sources, parse_listen};
use crate::database::Database;
use crate::error::Result;
use crate::http::server::Listener;
use crate::id;
use crate::ledger::Kind;
use crate::sandbox::{Endpoint, FREE_CODE, Sandbox};
use crate::secret::Secret;
use crate::store::Lock;
use crate::usecase::users::tokens::{self, Scope};
use crate::usecase::users::{self, UserPatch, operators, sign_in};

const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const ANY_PORT_OF_ALL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
/// Not `till.db`: a demonstration in the wrong folder must not write into a real database.
const DATABASE: &str = "demo.db";
const USER: &str = "demo";
const OPERATOR: &str = "operator";
const TOKEN_NAME: &str = "demo";

/// Try everything on this machine, with no account and no configuration
///
/// Starts till, the Stripe stand-in and a user with a little history, and prints where to click and what to call. No
/// money moves, and SPRITE_* variables are ignored. The database is in a temporary folder, which is removed at the end,
/// or in --dir, which is kept and used again next time.
#[derive(Args)]
#[command(after_help = "Examples:\n  till demo\n  till demo --dir ~/till-demo --listen 127.0.0.1:9000\n  \
    till demo --listen 0.0.0.0:8080 --base-url http://192.168.1.5:8080   # from another machine")]
pub(super) struct Demo {
    /// Keep the database in this folder, which is created if it does not exist
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Address of the dashboard and the API [default: 127.0.0.1:8080, or a free port if that is taken]
    #[arg(long, value_name = "ADDRESS", value_parser = parse_listen)]
    listen: Option<SocketAddr>,
    /// The origin under which browsers reach the dashboard, for a demonstration on another machine than the browser
    /// [default: http:// and the listen address]
    #[arg(long, value_name = "ORIGIN", value_parser = sandbox::origin)]
    base_url: Option<Origin>,
    /// Address of the Stripe stand-in [default: a free port of this machine; with --base-url, of all its addresses]
    #[arg(long, value_name = "ADDRESS", value_parser = parse_listen)]
    sandbox_listen: Option<SocketAddr>,
    /// The origin under which browsers reach the stand-in [default: the host of --base-url and the stand-in's port]
    #[arg(long, value_name = "ORIGIN", value_parser = sandbox::origin)]
    sandbox_base_url: Option<Origin>,
}

impl Demo {
    pub(super) fn run(&self) -> CommandResult {
        let signals = Signals::listen()?;
        let folder = Folder::create(self.dir.as_deref(), "till-demo")?;
        let database = folder.path.join(DATABASE);
        let lock = Lock::take(&Database::File(database.clone()), "till demo", &Clock::System)?;
        let listener = self.listener()?;
        let here = format!("http://{}", reachable(service::address_of(&listener)?));
        let base_url = self.base_url.as_ref().map_or_else(|| here.clone(), Origin::to_string);

        let secret = id::secret("whsec_")?;
        // Webhooks need no detour through the network.
        let endpoint = Endpoint { url: format!("{here}/billing/webhook"), secret: Secret::new(secret.clone()) };
        let stripe = self.stand_in(endpoint)?;
        let api = format!("http://{}", reachable(stripe.address()));
        let config = configure(&database, &base_url, &api, &secret)?;

        let app = App::open(config, Clock::System)?;
        let token = seed(&app)?;
        let service = Service::start(app, vec![Listener::Network(listener)])?;
        let links = Links::make(service.app())?;
        logging::start(&service.app().config)?;
        let fate = if folder.is_temporary { "removed at the end" } else { "kept" };
        let database = format!("{} ({fate})", database.display());
        let printed = print(&welcome(&base_url, &links, &stripe.url(), &token, &database));

        if printed.is_ok() {
            signals.wait_with_lines(|| match Links::make(service.app()) {
                // If nobody reads it, there is nothing left to do.
                Ok(links) => {
                    drop(print(&format!("  Sign in as Ada   {}\n  As the operator  {}\n", links.user, links.operator)))
                }
                Err(error) => eprint_lines("error", &[error.to_string()]),
            });
        }
        service.stop();
        stripe.stop();
        drop(lock);
        folder.remove()?;
        printed
    }

    /// The stand-in, where browsers reach it as they reach the dashboard.
    fn stand_in(&self, endpoint: Endpoint) -> CommandResult<Sandbox> {
        let far = self.base_url.as_ref().filter(|origin| !origin.is_loopback());
        let default = if far.is_some() { ANY_PORT_OF_ALL } else { ANY_PORT };
        let mut listen = self.sandbox_listen.unwrap_or(default);
        if far.is_some() && listen.port() == 0 {
            // Its origin has to be known before it starts.
            listen = service::address_of(&service::bind(listen)?)?;
        }
        let mut options = sandbox::options(listen, Some(endpoint), sandbox::prices(&Catalog::built_in()));
        let derived = far.map(|origin| format!("http://{}:{}", origin.host(), listen.port()));
        if let Some(origin) = self.sandbox_base_url.as_ref().map(Origin::to_string).or(derived) {
            options.public_url = Some(origin);
        }
        Ok(crate::sandbox::start(options)?)
    }

    /// The dashboard's socket, on the address of --listen if there is one; otherwise on the default or a free port.
    fn listener(&self) -> CommandResult<TcpListener> {
        if let Some(address) = self.listen {
            return Ok(service::bind(address)?);
        }
        match TcpListener::bind(LISTEN) {
            Ok(listener) => Ok(listener),
            Err(cause) if cause.kind() == ErrorKind::AddrInUse => {
                let listener = service::bind(ANY_PORT)?;
                let actual = service::address_of(&listener)?;
                let note = format!("{LISTEN} is taken by another program, so the dashboard is on {actual}");
                eprint_lines("note", &[note]);
                Ok(listener)
            }
            Err(_) => Ok(service::bind(LISTEN)?),
        }
    }
}

/// The configuration of a till that uses the stand-in, loaded and checked like any other.
fn configure(database: &Path, base_url: &str, stripe: &str, secret: &str) -> CommandResult<Config> {
    let database = database.to_string_lossy();
    let catalog = Catalog::built_in();
    let paid = catalog.offers().filter(|offer| offer.amount() > 0);
    let prices: Vec<_> = paid.map(|offer| (price_id_variable(offer.key()), sandbox::price_id(offer))).collect();
    let mut variables = vec![
        ("SPRITE_DATABASE", database.as_ref()),
        ("SPRITE_BASE_URL", base_url),
        ("SPRITE_STRIPE_API_BASE", stripe),
        ("SPRITE_STRIPE_SECRET_KEY", "sk_test_sandbox"),
        ("SPRITE_STRIPE_WEBHOOK_SECRET", secret),
        // Outgoing webhooks are tried on this machine.
        ("SPRITE_HOOK_PRIVATE_NETWORKS", "127.0.0.0/8,::1/128"),
    ];
    variables.extend(prices.iter().map(|(name, id)| (name.as_str(), id.as_str())));
    let loaded = settings::load(&Sources::from_variables(variables), Need::Serve)?;
    eprint_lines("warning", &loaded.warnings);
    Ok(loaded.config)
}

/// Creates a user with a history, and a new service token, which is returned. Tokens of earlier runs are revoked.
fn seed(app: &App) -> CommandResult<String> {
    let user =
        UserPatch { email: Some(Some("ada@example.org")), name: Some(Some("Ada Example")), ..UserPatch::default() };
    users::put(app, USER, user)?;
    users::put(app, OPERATOR, UserPatch { name: Some(Some("Olga Operator")), ..UserPatch::default() })?;
    operators::add(app, OPERATOR)?;
    let entry = |days_ago, kind, units, note| PastEntry { days_ago, kind, units, note };
    let past = vec![
        entry(29, Kind::Grant, 12, "welcome gift"),
        entry(27, Kind::Spend, 1, "a fox in the snow"),
        entry(22, Kind::Spend, 2, "two lighthouses"),
        entry(15, Kind::Spend, 1, "a chess-playing octopus"),
        entry(9, Kind::Spend, 1, "a paper boat"),
        entry(6, Kind::Spend, 2, "two versions of a logo"),
        entry(2, Kind::Spend, 1, "a map of an island"),
    ];
    history::write(app, USER, past)?;
    for old in tokens::list(app)?.iter().filter(|old| old.name == TOKEN_NAME && old.revoked_at.is_none()) {
        tokens::revoke(app, &old.id)?;
    }
    let (_, secret) = tokens::create(app, TOKEN_NAME, &[Scope::Admin])?;
    Ok(secret)
}

/// Links that sign in, once each.
struct Links {
    /// To the dashboard.
    user: String,
    /// To the operator's pages.
    operator: String,
}

impl Links {
    fn make(app: &App) -> Result<Links> {
        Ok(Links {
            user: sign_in::make_link(app, USER, None)?.url,
            operator: sign_in::make_link(app, OPERATOR, Some("/admin"))?.url,
        })
    }
}

fn welcome(base_url: &str, links: &Links, stripe: &str, token: &str, database: &str) -> String {
    let Links { user, operator } = links;
    format!(
        "\
till demo: everything on this machine, no account, no money.

  Sign in as Ada   {user}
                   (press the button there; it works once, within 5 minutes)
  As the operator  {operator}
                   (in another browser, or it signs Ada out)
  Dashboard        {base_url}/dashboard
  Stripe stand-in  {stripe}
                   (payments, webhooks: twice, late, or not at all)

  Test cards       4242 4242 4242 4242  pays
                   4000 0000 0000 0002  is declined
                   any future date, any CVC; the promotion code {FREE_CODE} makes a plan free

  Service API      {base_url}/docs
                   TOKEN={token}
    curl -H \"Authorization: Bearer $TOKEN\" {base_url}/v1/users/{USER}
    curl -H \"Authorization: Bearer $TOKEN\" -H 'Idempotency-Key: first-gift' -H 'Content-Type: application/json' \\
      -d '{{\"units\":5,\"note\":\"a gift\"}}' {base_url}/v1/users/{USER}/grants
    curl -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/json' -d '{{}}' \\
      {base_url}/v1/users/{USER}/login-links        # another sign-in link

  Database         {database}

Enter prints other sign-in links. Ctrl-C stops all of it.

"
    )
}

//! `till demo`: everything in one process, with no account and no configuration. What it shows is the real appliance
//! against the Stripe stand-in; nothing of the surroundings counts, so that it starts the same everywhere.

use std::fs::DirBuilder;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use clap::Args;

use super::output::print;
use super::running::{self, Running, reachable};
use super::signals::Signals;
use super::{Done, Failure, complain, logging, sandbox, settings};
use crate::app::App;
use crate::catalog::{Catalog, price_id_variable};
use crate::clock::Clock;
use crate::config::{Config, Need, Sources};
use crate::error::Fault;
use crate::id;
use crate::sandbox::{Endpoint, FREE_CODE};
use crate::secret::Secret;
use crate::store::Lock;
use crate::usecase::units::history::{self, Happened, Past};
use crate::usecase::users;
use crate::usecase::users::sign_in;
use crate::usecase::users::tokens::{self, Scope};

const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// Not the name of a till's own books: a demonstration in the wrong folder must not write into them.
const DATABASE: &str = "demo.db";
const USER: &str = "demo";
const TOKEN_NAME: &str = "demo";

/// Try everything on this machine, with no account and no configuration
///
/// Starts the appliance, the Stripe stand-in and a user with a little history, and prints where to click and what to
/// call. No money moves, and no SPRITE_* variable counts. The books are in a temporary folder, which is removed at
/// the end, or in --dir, which is kept and continued next time.
#[derive(Args)]
#[command(after_help = "Examples:\n  till demo\n  till demo --dir ~/till-demo --listen 127.0.0.1:9000")]
pub(super) struct Demo {
    /// Keep the books in this folder; it is made when it does not exist
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Address of the dashboard and the API [default: 127.0.0.1:8080, or a free port when that is taken]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Address of the Stripe stand-in [default: a free port]
    #[arg(long, value_name = "ADDRESS")]
    sandbox_listen: Option<SocketAddr>,
}

impl Demo {
    pub(super) fn run(&self) -> Done {
        let signals = Signals::listen()?;
        let folder = Folder::make(self.dir.as_deref())?;
        let database = folder.path.join(DATABASE);
        let lock = Lock::take(&database, &Clock::System)?;
        let listener = self.listener()?;
        let base_url = format!("http://{}", reachable(running::address_of(&listener)?));

        let secret = id::secret("whsec_")?;
        let endpoint = Endpoint { url: format!("{base_url}/billing/webhook"), secret: Secret::new(secret.clone()) };
        let prices = sandbox::prices(&Catalog::built_in());
        let listen = self.sandbox_listen.unwrap_or(ANY_PORT);
        let stripe = crate::sandbox::start(sandbox::options(listen, Some(endpoint), prices))?;
        let config = configure(&database, &base_url, &stripe.url(), &secret)?;

        let app = App::open(config, Clock::System)?;
        let token = furnish(&app)?;
        let running = Running::start(app, listener)?;
        let link = sign_in::make_link(running.app(), USER, None)?.url;
        logging::start(&running.app().config)?;
        let books = if folder.is_temporary { "removed at the end".to_owned() } else { "kept".to_owned() };
        let shown =
            Shown { base_url, link, stripe: stripe.url(), token, books: format!("{} ({books})", database.display()) };
        let printed = print(&shown.in_words());

        if matches!(printed, Ok(()) | Err(Failure::ReaderLeft)) {
            signals.wait();
        }
        running.stop();
        stripe.stop();
        drop(lock);
        folder.leave()?;
        printed
    }

    /// The dashboard's socket. Whoever named an address gets that one or none.
    fn listener(&self) -> Result<TcpListener, Failure> {
        if let Some(address) = self.listen {
            return Ok(running::bind(address)?);
        }
        match TcpListener::bind(LISTEN) {
            Ok(listener) => Ok(listener),
            Err(cause) if cause.kind() == ErrorKind::AddrInUse => {
                let listener = running::bind(ANY_PORT)?;
                let got = running::address_of(&listener)?;
                complain("note", &[format!("{LISTEN} is taken by another program, so the dashboard is on {got}")]);
                Ok(listener)
            }
            Err(_) => Ok(running::bind(LISTEN)?),
        }
    }
}

/// The configuration of a till that uses the stand-in, made as any other is.
fn configure(database: &Path, base_url: &str, stripe: &str, secret: &str) -> Result<Config, Failure> {
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
        // Whoever tries outgoing webhooks takes them on this machine.
        ("SPRITE_HOOK_PRIVATE_NETWORKS", "127.0.0.0/8,::1/128"),
    ];
    variables.extend(prices.iter().map(|(name, id)| (name.as_str(), id.as_str())));
    Ok(settings::load(&Sources::from_variables(variables), Need::StripeKeyAndWebhookSecret)?.config)
}

/// A user with a past, and a fresh service token. The token of an earlier run opens nothing any more.
fn furnish(app: &App) -> Result<String, Failure> {
    let past = |days_ago, happened, units, note| Past { days_ago, happened, units, note };
    users::put(app, USER, Some("ada@example.org"), Some("Ada Example"))?;
    history::write(
        app,
        USER,
        &[
            past(29, Happened::Granted, 12, "welcome gift"),
            past(27, Happened::Spent, 1, "a fox in the snow"),
            past(22, Happened::Spent, 2, "two lighthouses"),
            past(15, Happened::Spent, 1, "a chess-playing octopus"),
            past(9, Happened::Spent, 1, "a paper boat"),
            past(6, Happened::Spent, 2, "two versions of a logo"),
            past(2, Happened::Spent, 1, "a map of an island"),
        ],
    )?;
    for old in tokens::list(app)?.iter().filter(|old| old.name == TOKEN_NAME && old.revoked_at.is_none()) {
        tokens::revoke(app, &old.id)?;
    }
    let (_, secret) = tokens::create(app, TOKEN_NAME, &[Scope::Admin])?;
    Ok(secret)
}

/// Where the books are; a folder of its own is removed however the demonstration ends.
struct Folder {
    path: PathBuf,
    is_temporary: bool,
}

impl Folder {
    fn make(wanted: Option<&Path>) -> Result<Folder, Failure> {
        let is_temporary = wanted.is_none();
        let path = match wanted {
            Some(path) => path.to_owned(),
            None => std::env::temp_dir().join(id::ordered_id("till-demo", Clock::System.now())?),
        };
        let made = DirBuilder::new().recursive(!is_temporary).mode(0o700).create(&path);
        made.map_err(|cause| Fault::new(format!("cannot make the folder {}", path.display()), cause))?;
        Ok(Folder { path, is_temporary })
    }

    /// Removes a temporary folder, and says so when it cannot.
    fn leave(mut self) -> Result<(), Fault> {
        if !std::mem::take(&mut self.is_temporary) {
            return Ok(());
        }
        std::fs::remove_dir_all(&self.path)
            .map_err(|cause| Fault::new(format!("cannot remove the folder {}", self.path.display()), cause))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.is_temporary {
            // The command is failing already; what is left behind is a temporary file.
            let _left_behind = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// What the demonstration prints.
struct Shown {
    base_url: String,
    link: String,
    stripe: String,
    token: String,
    books: String,
}

impl Shown {
    fn in_words(&self) -> String {
        let Shown { base_url, link, stripe, token, books } = self;
        format!(
            "\
till demo: everything on this machine, no account, no money.

  Sign in as Ada   {link}
                   (works once, within 5 minutes)
  Dashboard        {base_url}/dashboard
  Stripe stand-in  {stripe}
                   (payments, webhooks: twice, late, or not at all)

  Test cards       4242 4242 4242 4242  pays
                   4000 0000 0000 0002  is declined
                   any date to come, any CVC; the promotion code {FREE_CODE} makes it free

  Service API      {base_url}/docs
                   TOKEN={token}
    curl -H \"Authorization: Bearer $TOKEN\" {base_url}/v1/users/{USER}
    curl -H \"Authorization: Bearer $TOKEN\" -H 'Idempotency-Key: first-gift' -H 'Content-Type: application/json' \\
      -d '{{\"units\":5,\"note\":\"a gift\"}}' {base_url}/v1/users/{USER}/grants
    curl -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/json' -d '{{}}' \\
      {base_url}/v1/users/{USER}/login-links        (another sign-in link)

  Books            {books}

Ctrl-C stops all of it.

"
        )
    }
}

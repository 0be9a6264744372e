//! The Stripe stand-in: the part of Stripe's HTTP API that a seller of prepaid units needs, with a checkout page, a
//! portal page, signed webhooks, and a control page. There, webhooks can come twice, late, out of order or not at all,
//! banks and payers do what they do, and time moves ahead. It serves `till demo`, `till sandbox`, and tests.
//!
//! It is a second product in this repository: it knows Stripe's API and nothing of till. From the crate it uses only
//! `clock`, `error`, `id`, `money`, `secret` and `tls`. It keeps everything in memory, within limits, and no money moves.
//!
//! Its rooms, from the top down. Each uses only those below it, or to its left in the same row:
//!
//! ```text
//!  server                     connections and routes
//!  api        page/           one API call from bytes to bytes; the pages      deliver   posts webhooks, where reach lets it
//!  resource/  expand          Stripe's resources, one file each: calls and their parameters
//!  rendering                  objects in the shape of older API versions
//!  breakdown                  what a session's total is made of
//!  due        shared          what is due by the clock; the lock
//!  checkout                   paying, expiring and completing a checkout session
//!  payer                      what a payer enters, and where it is kept
//!  billing/                   subscriptions, invoices, balance, credit notes, customers
//!  collect/                   payment intents, charges, refunds, disputes
//!  state      call            all tables, the time, ids, and events (`State::emit`); a call and its route
//!  model/                     rows that are more than one of Stripe's objects
//!  form  params  fields  list  card  amount  faults  idempotency
//!  version  api_error  access  table  shape  agenda  outbox  wire
//! ```
//! Only `server`, `page` and the wait for a slow fault are asynchronous. The rest is ordinary functions on `State`.
//!
//! To add
//! - a resource: its file in `resource/` and a line in the list there, its table in `State`, its defaults in `shapes/`
//!   and `shape`, and its name in `expand` if ids of it can be expanded;
//! - a webhook event: `State::emit` or `State::emit_change` where the object changes, in `collect`, `billing`,
//!   `checkout` or the resource;
//! - a control: its route in `server`, its function and its row of the table in `page/steps` or `page/control`, and its
//!   button in `templates/sandbox/control.html`.

mod access;
mod agenda;
mod amount;
mod api;
mod api_error;
mod billing;
mod breakdown;
mod call;
mod card;
mod checkout;
mod collect;
mod deliver;
mod due;
mod expand;
mod faults;
mod fields;
mod form;
mod idempotency;
mod list;
mod model;
mod outbox;
mod page;
mod params;
mod payer;
mod reach;
mod rendering;
mod resource;
mod server;
mod shape;
mod shared;
mod state;
mod table;
mod version;
mod wire;

use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::runtime::Runtime;

use self::model::webhook_endpoint::StoredEndpoint;
use self::reach::Reach;
use self::resource::{coupons, portal_configurations, prices, products, promotion_codes, webhook_endpoints};
use self::shared::Shared;
use self::state::{API_VERSION, State};
use crate::clock::Clock;
use crate::error::Fault;
use crate::secret::Secret;

/// The promotion code that every stand-in has: 100% off.
pub const FREE_CODE: &str = "FREE100";

const SERVER_THREADS: usize = 2;

/// How to start a stand-in.
#[derive(Clone, Debug)]
pub struct Options {
    /// Port 0 takes a free one.
    pub listen: SocketAddr,
    /// The origin under which browsers reach it. `http://` and the address when `None`.
    pub public_url: Option<String>,
    /// Where webhooks go. [`Sandbox::set_endpoint`] and the API can change that later.
    pub endpoint: Option<Endpoint>,
    /// The prices that exist from the start.
    pub prices: Vec<SeedPrice>,
    /// The world's time.
    pub clock: Clock,
}

/// A webhook endpoint that takes every event.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// `http://…` or `https://…`.
    pub url: String,
    /// `whsec_…`: signs its webhooks.
    pub secret: Secret,
}

/// A price that exists from the start, with its product.
#[derive(Clone, Debug)]
pub struct SeedPrice {
    /// The price's id in the seller's configuration.
    pub id: String,
    /// Its name on the checkout page.
    pub product_name: String,
    /// In the currency's minor unit.
    pub unit_amount: i64,
    /// Three lower-case letters.
    pub currency: String,
    /// `month` or `year` for a plan; `None` for a one-time price.
    pub recurring: Option<&'static str>,
}

/// A running stand-in. It ends when it is stopped or dropped. Do not drop it on an asynchronous thread.
pub struct Sandbox {
    address: SocketAddr,
    url: String,
    shared: Arc<Shared>,
    runtime: Option<Runtime>,
}

/// Starts a stand-in on its own threads and returns at once. Fails if the address cannot be bound, or the system gives
/// no threads or random numbers. Where others can reach it, it sends webhooks to this machine, to private networks and to
/// its own endpoint alone.
pub fn start(options: Options) -> Result<Sandbox, Fault> {
    let reach = Reach::of(options.listen, options.endpoint.as_ref().map(|endpoint| endpoint.url.as_str()));
    start_with(options, reach)
}

/// The same, but it sends webhooks to any address that somebody makes an endpoint for.
pub fn start_delivering_anywhere(options: Options) -> Result<Sandbox, Fault> {
    start_with(options, Reach::Anywhere)
}

fn start_with(options: Options, reach: Reach) -> Result<Sandbox, Fault> {
    let listener = TcpListener::bind(options.listen)
        .map_err(|cause| Fault::new(format!("the stand-in for Stripe cannot listen on {}", options.listen), cause))?;
    let address = listener.local_addr().map_err(|cause| Fault::new("the stand-in's address is unknown", cause))?;
    let url = options.public_url.clone().unwrap_or_else(|| format!("http://{address}"));
    let url = url.trim_end_matches('/').to_owned();

    let mut state = State::new(options.clock.clone(), url.clone())?;
    seed(&mut state, &options);
    let shared = Arc::new(Shared::new(state));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(SERVER_THREADS)
        .thread_name("sandbox-server")
        .enable_all()
        .build()
        .map_err(|cause| Fault::new("the stand-in for Stripe could not start its threads", cause))?;
    let listener = listener.set_nonblocking(true).and_then(|()| {
        let _guard = runtime.enter();
        tokio::net::TcpListener::from_std(listener)
    });
    let listener = listener.map_err(|cause| Fault::new("the stand-in for Stripe could not start to listen", cause))?;
    runtime.spawn(server::serve(listener, shared.clone()));
    deliver::start(&shared, reach)?;
    Ok(Sandbox { address, url, shared, runtime: Some(runtime) })
}

impl Sandbox {
    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its origin, for the API (`/v1/…`), the checkout and portal pages, and the control page (`/`).
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Makes this the only webhook endpoint. Returns its id.
    pub fn set_endpoint(&self, endpoint: &Endpoint) -> String {
        self.shared.with(|state| {
            let former: Vec<String> = state.webhook_endpoints.oldest().map(StoredEndpoint::id).collect();
            for id in former {
                state.webhook_endpoints.remove(&id);
            }
            add_endpoint(state, endpoint)
        })
    }

    /// Ends it: it accepts no more connections and begins no more webhooks.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.shared.stop();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(1));
        }
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").field("url", &self.url).finish_non_exhaustive()
    }
}

fn seed(state: &mut State, options: &Options) {
    for price in &options.prices {
        let product = products::add(state, None, json!({ "name": price.product_name }));
        let fields = json!({
            "product": product["id"], "currency": price.currency, "unit_amount": price.unit_amount,
            "recurring": price.recurring.map(|interval| prices::recurring(interval, 1)),
        });
        prices::add(state, Some(&price.id), fields);
    }
    coupons::add(state, Some(FREE_CODE), json!({ "name": "100% off", "percent_off": 100 }));
    promotion_codes::add(state, FREE_CODE, FREE_CODE, json!({}));
    portal_configurations::add(state, true, json!({}));
    // Last, so that no webhooks are sent about what exists from the start.
    if let Some(endpoint) = &options.endpoint {
        add_endpoint(state, endpoint);
    }
}

fn add_endpoint(state: &mut State, endpoint: &Endpoint) -> String {
    let fields = json!({ "url": endpoint.url, "enabled_events": ["*"], "api_version": API_VERSION });
    let object = webhook_endpoints::add(state, fields, endpoint.secret.clone());
    shape::text(&object, "id").to_owned()
}

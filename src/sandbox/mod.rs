//! The Stripe stand-in: the part of Stripe's HTTP API that a seller of prepaid units needs, with a checkout page, a
//! portal page, signed webhooks, and a control page on which webhooks come twice, late, out of order or not at all, banks
//! and payers do what they do, and time is put ahead. For `till demo`, for `till sandbox`, and for tests.
//!
//! It knows Stripe's API and nothing of till: from the crate it uses `clock`, `id`, `secret` and `error` only. It keeps
//! everything in memory, within limits, and no money moves.
//!
//! ```text
//!  client  ──► server ──► api ──► resource/… ──► State ──► outbox ──► deliver ──► the webhook endpoint
//!  browser ──► server ──► page/checkout, page/portal ──► payment, billing/… ──► State
//!  tester  ──► server ──► page/control, page/steps ──► outbox, faults, refund, dispute, agenda
//!  time    ──► agenda ──► payment, billing/…             (events: State::emit, the one place)
//! ```
//! Money is collected in `collect`, for checkout sessions (`payment`), invoices (`billing`) and the API alike; `refund`
//! and `dispute` say how it goes back.
//!
//! Only `server`, `page` and the pause for a slow fault are asynchronous; the rest is ordinary functions on `State`,
//! which is behind one lock. A further resource is a file in `resource/`, its table in `State`, and its calls in
//! `resource::find`.

mod agenda;
mod amount;
mod api;
mod api_error;
mod billing;
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
mod resource;
mod server;
mod shape;
mod shared;
mod state;
mod table;
mod wire;

use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::runtime::Runtime;

use self::model::webhook_endpoint;
use self::resource::{coupons, portal_configurations, prices, products, promotion_codes, webhook_endpoints};
use self::shared::Shared;
use self::state::{API_VERSION, State};
use crate::clock::Clock;
use crate::error::Fault;
use crate::secret::Secret;

/// The promotion code that every stand-in knows: 100% off.
pub const FREE_CODE: &str = "FREE100";

const SERVER_THREADS: usize = 2;

/// How to start a stand-in.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The origin under which browsers reach it; `http://` and the address when `None`.
    pub public_url: Option<String>,
    /// Where webhooks go. More can be added later, here ([`Sandbox::set_endpoint`]) or through the API.
    pub endpoint: Option<Endpoint>,
    /// What is on sale from the start.
    pub prices: Vec<SeedPrice>,
    /// The time.
    pub clock: Clock,
}

/// A webhook endpoint that takes every event.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// `http://…` or `https://…`.
    pub url: String,
    /// `whsec_…`: what its webhooks are signed with.
    pub secret: Secret,
}

/// A price that is there from the start, with its product.
#[derive(Clone, Debug)]
pub struct SeedPrice {
    /// The price's id, as the seller has it configured.
    pub id: String,
    /// What the checkout page calls it.
    pub product_name: String,
    /// In the currency's minor unit.
    pub unit_amount: i64,
    /// Three letters, lower case.
    pub currency: String,
    /// `month` or `year` for a plan; `None` for what is paid once.
    pub recurring: Option<&'static str>,
}

/// A running stand-in. It ends when stopped or dropped. Not to be dropped on an asynchronous thread.
pub struct Sandbox {
    address: SocketAddr,
    url: String,
    shared: Arc<Shared>,
    runtime: Option<Runtime>,
}

/// Starts a stand-in on threads of its own and returns at once. Fails when the address cannot be bound, or the system
/// gives no threads or random numbers.
pub fn start(options: Options) -> Result<Sandbox, Fault> {
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
    deliver::start(&shared)?;
    Ok(Sandbox { address, url, shared, runtime: Some(runtime) })
}

impl Sandbox {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its origin: of the API (`/v1/…`), the checkout pages, and the control page (`/`).
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Makes this the only webhook endpoint. Answers its id.
    pub fn set_endpoint(&self, endpoint: &Endpoint) -> String {
        self.shared.with(|state| {
            let former: Vec<String> = state.webhook_endpoints.oldest().map(webhook_endpoint::Endpoint::id).collect();
            for id in former {
                state.webhook_endpoints.remove(&id);
            }
            add_endpoint(state, endpoint)
        })
    }

    /// Ends it: no connection is taken and no webhook begun from now on.
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
    // Last, so that nobody is told of what was there from the start.
    if let Some(endpoint) = &options.endpoint {
        add_endpoint(state, endpoint);
    }
}

fn add_endpoint(state: &mut State, endpoint: &Endpoint) -> String {
    let fields = json!({ "url": endpoint.url, "enabled_events": ["*"], "api_version": API_VERSION });
    let object = webhook_endpoints::add(state, fields, endpoint.secret.clone());
    shape::text(&object, "id").to_owned()
}

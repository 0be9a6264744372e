//! Every URL of the appliance on one page, grouped by who calls. The only asynchronous part: it reads requests, asks one
//! use case through a bounded pool, and writes answers. Our JSON and HTML live here and nowhere else.

pub(crate) mod api;
pub mod assets;
mod body;
pub mod chart;
mod cors;
mod error;
mod guard;
mod health;
mod kept;
mod leftover;
pub mod pages;
mod pool;
mod request;
pub mod server;
mod webhook;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post, put};
use tokio::sync::oneshot;
use tower_http::compression::CompressionLayer;

use crate::app::App;
use crate::error::{Fault, Result};
use crate::store::{ReadVersion, Tx};
use crate::usecase::users::tokens::Authentication;
use api::description::Description;
use kept::Kept;
use pool::Pool;
use request::Readers;

/// What hears of a write once it is durable.
type Then<T> = Box<dyn FnOnce(Result<T>) + Send>;

/// What every handler is given.
#[derive(Clone)]
struct Rim(Arc<Parts>);

struct Parts {
    app: Arc<App>,
    /// For work on the books.
    books: Pool,
    /// For work that waits for Stripe: of its own, so that a slow Stripe holds up nobody else.
    stripe: Pool,
    /// For Stripe's events, some of which have to be asked about.
    events: Pool,
    /// Of the service API, for programs.
    description: Description,
    /// The same for people.
    reference: pages::view::Reference,
    /// Tokens that were looked up, by the hash of their secret.
    callers: Kept<[u8; 32], (ReadVersion, Arc<Authentication>)>,
    /// Users as they were answered.
    users: Kept<String, api::users::Shown>,
}

impl std::ops::Deref for Rim {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl Rim {
    fn new(app: Arc<App>) -> std::result::Result<Rim, Fault> {
        let description = Description::of(&app.config)?;
        let reference = pages::reference::reference(&description.document, &description.names());
        Ok(Rim(Arc::new(Parts {
            app,
            description,
            reference,
            books: Pool::start("till-books", 32, 1024)?,
            stripe: Pool::start("till-stripe", 8, 128)?,
            events: Pool::start("till-events", 8, 512)?,
            callers: Kept::up_to(1000),
            users: Kept::up_to(131_072),
        })))
    }

    /// Runs a use case on the books.
    async fn books<T: Send + 'static>(&self, work: impl FnOnce(&App) -> Result<T> + Send + 'static) -> Result<T> {
        let app = Arc::clone(&self.app);
        self.books.run(move || work(&app)).await
    }

    /// Reads what one indexed statement finds: on this thread, which is done sooner than another one is woken, or in the
    /// pool when no connection is free.
    async fn look<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut dyn Tx, &App) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let app = Arc::clone(&self.app);
        match self.app.store.read_one(move |tx| work(tx, &app)) {
            Ok(found) => found,
            Err(work) => self.books(move |app| app.store.read(work)).await,
        }
    }

    /// Starts a use case that answers once its write is durable, and waits for it without a thread.
    async fn durable<T: Send + 'static>(&self, begin: impl FnOnce(&Arc<App>, Then<T>)) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        // The caller may have hung up; what was done is done.
        begin(&self.app, Box::new(move |result| drop(reply.send(result))));
        answer.await.map_err(|_| Fault::bare("the writer ended before it answered"))?
    }

    /// Takes an event of Stripe's.
    async fn events<T: Send + 'static>(&self, work: impl FnOnce(&App) -> Result<T> + Send + 'static) -> Result<T> {
        let app = Arc::clone(&self.app);
        self.events.run(move || work(&app)).await
    }

    /// Runs a use case that may wait for Stripe.
    async fn stripe<T: Send + 'static>(&self, work: impl FnOnce(&App) -> Result<T> + Send + 'static) -> Result<T> {
        let app = Arc::clone(&self.app);
        self.stripe.run(move || work(&app)).await
    }
}

fn router(rim: Rim) -> Router {
    // Browsers and their forms, and front ends on other origins.
    let people = Router::new()
        .route("/", get(pages::pricing::show))
        .route("/docs", get(pages::reference::show))
        .route("/dashboard", get(pages::dashboard::show))
        .route("/login", get(pages::login::show))
        .route("/logout", post(pages::login::sign_out))
        .route("/billing/checkout", post(pages::checkout::open))
        .route("/billing/portal", post(pages::portal::open))
        .route("/billing/return", get(pages::returned::show))
        .route("/v1/me", get(api::me::show))
        // Inside the layer, so that a preflight, which is no method of any route, comes to it.
        .method_not_allowed_fallback(error::wrong_method)
        .layer(from_fn_with_state(rim.clone(), cors::allow_origins));

    // Stripe.
    let stripe = Router::new().route("/billing/webhook", post(webhook::receive));

    // The pipeline, with a token. Answers are small, so they are not compressed, but for the long ones.
    let lists = Router::new()
        .route("/v1/users", get(api::users::list))
        .route("/v1/users/{id}/ledger", get(api::ledger::list))
        .route("/v1/openapi.json", get(api::description::show));
    let service = Router::new()
        .route("/v1/users/{id}", put(api::users::put).get(api::users::show))
        .route("/v1/users/{id}/spends", post(api::spends::create))
        .route("/v1/users/{id}/holds", post(api::holds::create))
        .route("/v1/users/{id}/grants", post(api::grants::create))
        .route("/v1/users/{id}/login-links", post(api::login_links::create))
        .route("/v1/users/{id}/checkout", post(api::checkout::create))
        .route("/v1/spends", post(api::spends::create_batch))
        .route("/v1/holds/{id}", get(api::holds::show))
        .route("/v1/holds/{id}/capture", post(api::holds::capture))
        .route("/v1/holds/{id}/release", post(api::holds::release));

    // The machine.
    let machine = Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .route("/assets/{file}", get(assets::get));

    // One layer around everything; what people read is compressed outside of it, so that pages of errors are as well.
    let around = |readers: Readers| from_fn_with_state((rim.clone(), readers), request::around);
    let service =
        service.merge(stripe).method_not_allowed_fallback(error::wrong_method).layer(around(Readers::Programs));
    Router::new()
        .merge(people)
        .merge(lists)
        .merge(machine)
        .fallback(error::no_such_page)
        .method_not_allowed_fallback(error::wrong_method)
        .layer(around(Readers::Anybody))
        .layer(CompressionLayer::new())
        .merge(service)
        .with_state(rim)
}

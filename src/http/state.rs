//! What every handler is given: the application, the doors to blocking work, and the caches. Handlers are asynchronous
//! and everything below `http` blocks, so a handler calls a use case only through a method of [`AppState`].

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::cache::Cache;
use super::caller;
use super::description::reference::Reference;
use super::etag::TaggedBody;
use super::kept_pages::KeptPages;
use super::rates::{self, Buckets, Costly, Payer, Turns};
use super::refusals::Refusals;
use super::request::ClientAddress;
use super::shares::Shares;
use super::thread_pool::ThreadPool;
use crate::app::App;
use crate::catalog::Catalog;
use crate::clock::{Deadline, Timestamp};
use crate::config::{Config, Origin, STRIPE_API_BASE};
use crate::error::{Error, Fault, Refused, Result};
use crate::store::{CacheKey, Engine, ReadVersion, Store, Tx};
use crate::stripe::client::LONGEST_WAIT;
use crate::usecase::users::sessions::OpenSession;
use crate::usecase::users::tokens::Authentication;

/// How long a caller waits for a write, which stands also if nobody waits for it any more.
const WRITE_PATIENCE: Duration = Duration::from_secs(30);
/// Requests of one client under way at once. The clients of a proxy share its connections, so this is counted apart.
const REQUESTS_OF_A_CLIENT: usize = 256;

/// Of answers about users that are kept: some 20,000 usual ones. With the pages and sessions that are kept, and what the
/// connections to the database may cache, the process stays under 64 MiB.
const USER_BYTES: usize = 12 * 1024 * 1024;
/// Sessions that are kept: a megabyte.
const SESSIONS: usize = 8192;
/// What an entry takes besides its text, about.
const ENTRY_BYTES: usize = 256;

/// Is called with the result of a write once it is durable.
type OnCommit<T> = Box<dyn FnOnce(Result<T>) + Send>;

/// Cheap to clone: one pointer to what all handlers share.
#[derive(Clone)]
pub(super) struct AppState(Arc<Shared>);

struct Shared {
    app: Arc<App>,
    db: ThreadPool,
    stripe: ThreadPool,
    webhooks: ThreadPool,
    passwords: ThreadPool,
    /// Where there is a provider.
    provider: Option<ThreadPool>,
    stripes_pages: String,
    readiness: tokio::sync::Mutex<Option<(Deadline, bool)>>,
    requests: Arc<Shares>,
    buckets: Buckets,
    turns: Turns,
    page_turns: Turns,
    refusals: Refusals,
    tokens: Cache<[u8; 32], (ReadVersion, Arc<Authentication>)>,
    users: Cache<String, CachedUser>,
    sessions: Cache<[u8; 32], (ReadVersion, OpenSession)>,
    pages: KeptPages,
    description: TaggedBody,
    reference: Reference,
}

/// Which threads do the work. A call that waits for Stripe must not hold up one that needs only the database.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pool {
    /// Use cases that need only the database.
    Db,
    /// Use cases that may wait for Stripe.
    Stripe,
    /// Events from Stripe. Some of them need a question to Stripe first.
    Webhooks,
    /// Use cases that wait for the provider of OpenID Connect, so that a slow one delays nothing else.
    Provider,
    /// Use cases that hash a password: two at once, because each takes 19 MB and a processor.
    Passwords,
}

impl AppState {
    /// `description` is the body of `/v1/openapi.json`, `reference` the content of `/docs`.
    pub(super) fn new(
        app: Arc<App>,
        description: TaggedBody,
        reference: Reference,
    ) -> std::result::Result<AppState, Fault> {
        let api = &app.config.stripe.api_base;
        let stripes_pages = match api == STRIPE_API_BASE {
            true => "https:".to_owned(),
            false if app.config.base_url.is_loopback() => format!("{api} http://127.0.0.1:* http://localhost:*"),
            // A stand-in on this machine, whose pages are for browsers on others.
            false if Origin::parse(api).is_ok_and(|origin| origin.is_loopback()) => {
                format!("{api} https: http://{}:*", app.config.base_url.host())
            }
            false => api.clone(),
        };
        let has_provider = app.config.oidc.is_some();
        Ok(AppState(Arc::new(Shared {
            stripes_pages,
            readiness: tokio::sync::Mutex::default(),
            app,
            db: ThreadPool::start("till-books", 32, 1024)?,
            stripe: ThreadPool::start("till-stripe", 8, 128)?,
            webhooks: ThreadPool::start("till-events", 8, 512)?,
            provider: has_provider.then(|| ThreadPool::start("till-provider", 4, 64)).transpose()?,
            passwords: ThreadPool::start("till-passwords", 2, 64)?,
            requests: Shares::new(usize::MAX, REQUESTS_OF_A_CLIENT),
            buckets: Buckets::new(),
            turns: Turns::default(),
            page_turns: Turns::default(),
            refusals: Refusals::default(),
            tokens: Cache::with_capacity(1000),
            users: Cache::with_weight(USER_BYTES, |id, user| ENTRY_BYTES + id.len() + user.answer.len()),
            sessions: Cache::with_capacity(SESSIONS),
            pages: KeptPages::new(),
            description,
            reference,
        })))
    }

    pub(super) fn app(&self) -> &App {
        &self.0.app
    }

    pub(super) fn config(&self) -> &Config {
        &self.0.app.config
    }

    pub(super) fn catalog(&self) -> &Catalog {
        &self.0.app.catalog
    }

    /// Requests under way.
    pub(super) fn requests(&self) -> &Arc<Shares> {
        &self.0.requests
    }

    /// Refuses what costs to an account or a client that asks for it too often.
    pub(super) async fn charge(&self, what: Costly, account: Option<i64>, client: ClientAddress) -> Result<()> {
        self.charge_payer(what, account.map(Payer::Account), client).await
    }

    /// The same for a name or an address that somebody typed, whether or not it is anybody's.
    pub(super) async fn charge_name(&self, what: Costly, name: &str, client: ClientAddress) -> Result<()> {
        self.charge_payer(what, Some(Payer::of_name(name)), client).await
    }

    async fn charge_payer(&self, what: Costly, payer: Option<Payer>, client: ClientAddress) -> Result<()> {
        let key = client.key();
        let charged = match self.0.app.store.engine() {
            Engine::Sqlite => self.0.buckets.take(what, payer, key),
            Engine::Postgres => {
                let take = move |app: &App| rates::take_of_all(&app.store, what, payer, key, app.clock.now());
                self.run(Pool::Db, take).await
            }
        };
        if matches!(charged, Err(Error::Refused(Refused::RateLimited { .. }))) {
            self.0.app.metrics.refuse_client(what.label(), &client);
        }
        charged
    }

    /// The bounded log of refusals.
    pub(super) fn refusals(&self) -> &Refusals {
        &self.0.refusals
    }

    /// Tokens by the hash of their secret.
    pub(super) fn tokens(&self) -> &Cache<[u8; 32], (ReadVersion, Arc<Authentication>)> {
        &self.0.tokens
    }

    /// Answers of `GET /v1/users/{id}` by the user's id.
    pub(super) fn users(&self) -> &Cache<String, CachedUser> {
        &self.0.users
    }

    /// Open sessions by the hash of their cookie.
    pub(super) fn sessions(&self) -> &Cache<[u8; 32], (ReadVersion, OpenSession)> {
        &self.0.sessions
    }

    /// Dashboards.
    pub(super) fn pages(&self) -> &KeptPages {
        &self.0.pages
    }

    /// Whose dashboard is being written.
    pub(super) fn page_turns(&self) -> &Turns {
        &self.0.page_turns
    }

    pub(super) fn description(&self) -> &TaggedBody {
        &self.0.description
    }

    pub(super) fn reference(&self) -> &Reference {
        &self.0.reference
    }

    /// Where Stripe's pages are, as a policy's sources. Stripe's own may be under the seller's domain ("Use your custom
    /// domain"), which is known only once a checkout is made. A stand-in's are where its API is, or on this machine.
    pub(super) fn stripes_pages(&self) -> &str {
        &self.0.stripes_pages
    }

    /// When readiness was last looked at, and whether the database took the write.
    pub(super) fn readiness(&self) -> &tokio::sync::Mutex<Option<(Deadline, bool)>> {
        &self.0.readiness
    }

    /// Runs a use case on one of the threads of `pool`.
    ///
    /// # Errors
    ///
    /// What the use case answers; `Refused::Unavailable` when the pool's queue is full.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        pool: Pool,
        work: impl FnOnce(&App) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let app = self.0.app.acting_for(caller::get());
        let threads = match pool {
            Pool::Db => &self.0.db,
            Pool::Stripe => &self.0.stripe,
            Pool::Webhooks => &self.0.webhooks,
            Pool::Passwords => &self.0.passwords,
            Pool::Provider => self.0.provider.as_ref().unwrap_or(&self.0.db),
        };
        threads.run(move || work(&app)).await
    }

    /// Runs a use case that may ask Stripe for an account, one at a time for each. Its time begins now, not when a thread is
    /// free: the caller does not know the difference.
    pub(super) async fn ask_stripe<T: Send + 'static>(
        &self,
        account: i64,
        work: impl FnOnce(&App, Deadline) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let deadline = Deadline::after(LONGEST_WAIT);
        let turn = tokio::time::timeout(deadline.left(), self.0.turns.wait(account)).await.map_err(|_| {
            let detail = "Another request of yours still waits for Stripe. Try again in a minute.";
            Refused::StripeUnavailable(detail.into())
        })?;
        // The turn ends with the work, even if the client does not wait for it.
        self.run(Pool::Stripe, move |app| {
            let _turn = turn;
            work(app, deadline)
        })
        .await
    }

    /// Starts a use case that calls back once its write is durable, and waits for that without blocking a thread.
    pub(super) async fn write<T: Send + 'static>(&self, begin: impl FnOnce(&App, OnCommit<T>)) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        // The client may have closed the connection. The write stands all the same.
        begin(&self.0.app.acting_for(caller::get()), Box::new(move |result| drop(reply.send(result))));
        // A server that stands still, but whose machine takes what is sent, is not noticed by the connection.
        let answer = tokio::time::timeout(WRITE_PATIENCE, answer).await.map_err(|_| {
            let detail = "The database has not answered, and it is not known whether this was written. Send the same request \
                          again, with the same idempotency key: it happens once.";
            Refused::Unavailable { retry_after: 5, detail: detail.to_owned() }
        })?;
        answer.map_err(|_| Fault::bare("the writer ended before it answered"))?
    }

    /// Runs reads of single indexed statements on this thread, which is faster than waking a pool thread. Falls back to
    /// the pool when no connection is free.
    pub(super) async fn read_one<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut dyn Tx, &App) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let app = Arc::clone(&self.0.app);
        match self.0.app.store.read_one(move |tx| work(tx, &app)) {
            Ok(result) => result,
            Err(work) => self.run(Pool::Db, move |app| app.store.read_each(work)).await,
        }
    }
}

/// An answer of `GET /v1/users/{id}`, with what is needed to tell how long it is current.
#[derive(Clone)]
pub(super) struct CachedUser {
    pub answer: TaggedBody,
    pub read_at: ReadVersion,
    pub account: i64,
    /// When the next hold or lot of the account expires, which changes the balance without a write.
    pub next_due: Option<Timestamp>,
}

impl CachedUser {
    pub(super) fn is_current(&self, store: &Store, now: Timestamp) -> bool {
        store.is_current(CacheKey::User(self.account), self.read_at) && self.next_due.is_none_or(|due| due > now)
    }
}

//! What every handler is given: the application, the doors to blocking work, and the caches. Handlers are asynchronous
//! and everything below `http` blocks, so a handler calls a use case only through a method of [`AppState`].

use std::sync::Arc;

use tokio::sync::oneshot;

use super::cache::Cache;
use super::caller;
use super::description::reference::Reference;
use super::etag::TaggedBody;
use super::refusals::Refusals;
use super::thread_pool::ThreadPool;
use crate::app::App;
use crate::catalog::Catalog;
use crate::clock::Timestamp;
use crate::config::Config;
use crate::error::{Fault, Result};
use crate::store::{CacheKey, ReadVersion, Store, Tx};
use crate::usecase::users::tokens::Authentication;

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
    refusals: Refusals,
    tokens: Cache<[u8; 32], (ReadVersion, Arc<Authentication>)>,
    users: Cache<String, CachedUser>,
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
}

impl AppState {
    /// `description` is the body of `/v1/openapi.json`, `reference` the content of `/docs`.
    pub(super) fn new(
        app: Arc<App>,
        description: TaggedBody,
        reference: Reference,
    ) -> std::result::Result<AppState, Fault> {
        Ok(AppState(Arc::new(Shared {
            app,
            db: ThreadPool::start("till-books", 32, 1024)?,
            stripe: ThreadPool::start("till-stripe", 8, 128)?,
            webhooks: ThreadPool::start("till-events", 8, 512)?,
            refusals: Refusals::new(),
            tokens: Cache::with_capacity(1000),
            users: Cache::with_capacity(131_072),
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

    pub(super) fn description(&self) -> &TaggedBody {
        &self.0.description
    }

    pub(super) fn reference(&self) -> &Reference {
        &self.0.reference
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
        };
        threads.run(move || work(&app)).await
    }

    /// Starts a use case that calls back once its write is durable, and waits for that without blocking a thread.
    pub(super) async fn write<T: Send + 'static>(&self, begin: impl FnOnce(&App, OnCommit<T>)) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        // The client may have closed the connection. The write stands all the same.
        begin(&self.0.app.acting_for(caller::get()), Box::new(move |result| drop(reply.send(result))));
        answer.await.map_err(|_| Fault::bare("the writer ended before it answered"))?
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
            Err(work) => self.run(Pool::Db, move |app| app.store.read(work)).await,
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

//! Who sends the request that the present task answers, as the audit and the entries name them. The layer around all handlers
//! opens the place, who proves to be somebody fills it, and [`AppState`](super::state::AppState) hands it to the use case: so
//! no handler can forget it.

use std::cell::RefCell;

use super::audience::Audience;
use super::request::ClientAddress;
use crate::actor::Actor;

tokio::task_local! {
    static CALLER: RefCell<Actor>;
    static BEGUN: RefCell<Option<String>>;
}

/// Answers a request of this client. Also returns the cookie of a session that began on the way, see [`has_begun`].
pub(super) async fn answer<T>(
    audience: Audience,
    client: ClientAddress,
    answer: impl Future<Output = T>,
) -> (T, Option<String>) {
    let actor = match audience {
        Audience::Stripe => Actor::stripe(),
        Audience::Machine => Actor::till(),
        Audience::Browser | Audience::Service => Actor::visitor(),
    };
    let answer = async {
        let answer = answer.await;
        (answer, BEGUN.with(|begun| begun.borrow_mut().take()))
    };
    BEGUN.scope(RefCell::default(), CALLER.scope(RefCell::new(actor.at(client.0)), answer)).await
}

/// A session of ours began for a person whom a proxy names: the answer, whatever it is, brings its cookie.
pub(super) fn has_begun(cookie: &str) {
    // Outside of a request there is no answer.
    let _outside = BEGUN.try_with(|begun| *begun.borrow_mut() = Some(cookie.to_owned()));
}

/// The caller has proved to be this one.
pub(super) fn is(actor: Actor) {
    // Outside of a request there is nobody to name.
    let _outside = CALLER.try_with(|caller| {
        let identified = caller.borrow().identified_as(actor);
        *caller.borrow_mut() = identified;
    });
}

/// What they ask for has this reason, in their own words.
pub(super) fn because(reason: &str) {
    // Outside of a request there is nobody to name.
    let _outside = CALLER.try_with(|caller| {
        let with_reason = caller.borrow().because(reason);
        *caller.borrow_mut() = with_reason;
    });
}

/// Who it is, as far as is known by now.
pub(super) fn get() -> Actor {
    CALLER.try_with(|caller| caller.borrow().clone()).unwrap_or_else(|_| Actor::till())
}

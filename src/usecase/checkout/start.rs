//! A purchase starts: the order records what is on sale now, then Stripe creates a Checkout Session.

use crate::app::App;
use crate::catalog::Offer;
use crate::clock::Deadline;
use crate::error::{Error, Fault, Refused, Result};
use crate::id;
use crate::store::orders::{self, OfferKind, Order};
use crate::store::subscriptions;
use crate::store::users::User;
use crate::stripe::client::LONGEST_WAIT;
use crate::stripe::requests::with_session_id;
use crate::stripe::{CheckoutMode, CheckoutRequest, CheckoutSession};
use crate::usecase::checkout::customer::{customer_of, forget_customer, to_user_error};
use crate::usecase::checkout::portal;
use crate::usecase::users::sign_in::allowed_url;

/// Where the buyer goes to pay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkout {
    pub checkout_url: String,
    pub session_id: String,
}

/// Creates a Stripe Checkout Session that sells `key` to `user`. The user waits at most 20 s in all.
pub fn start_checkout(app: &App, user: &User, key: &str, return_url: Option<&str>) -> Result<Checkout> {
    let sale = on_sale(app, key)?;
    if sale.mode == CheckoutMode::Subscription {
        refuse_second(app, user)?;
    }
    let return_url = return_url.map(|url| allowed_url(app, "return_url", url)).transpose()?;
    let deadline = Deadline::after(LONGEST_WAIT);
    let customer = customer_of(app, user, deadline)?;
    match attempt(app, user, &sale, &customer, return_url.clone(), deadline)? {
        Attempt::Opened(checkout) => Ok(checkout),
        Attempt::CustomerGone(_) => {
            tracing::info!(event = "customer_gone", user_id = user.id, customer);
            forget_customer(app, &customer)?;
            let customer = customer_of(app, user, deadline)?;
            match attempt(app, user, &sale, &customer, return_url, deadline)? {
                Attempt::Opened(checkout) => Ok(checkout),
                Attempt::CustomerGone(error) => Err(error),
            }
        }
    }
}

enum Attempt {
    Opened(Checkout),
    /// The customer was deleted at Stripe: a new one may succeed.
    CustomerGone(Error),
}

fn attempt(
    app: &App,
    user: &User,
    sale: &Sale,
    customer: &str,
    return_url: Option<String>,
    deadline: Deadline,
) -> Result<Attempt> {
    let order = store_order(app, user, sale, customer, return_url)?;
    let error = match app.stripe()?.create_checkout_session(&order.request_body, &order.id, deadline) {
        Ok(session) => return Ok(Attempt::Opened(open(app, user, &order, &session)?)),
        Err(error) => error,
    };
    if error.is_final() {
        let (id, now) = (order.id.clone(), app.clock.now());
        app.store.write(move |tx| orders::refused(tx, &id, now))?;
    }
    let is_gone = error.is_missing_param("customer");
    let error = to_user_error(error, &order.id);
    if is_gone { Ok(Attempt::CustomerGone(error)) } else { Err(error) }
}

/// An offer, as it is on sale now.
struct Sale {
    mode: CheckoutMode,
    offer: String,
    units: i64,
    amount: i64,
    price: String,
    expires_in_days: Option<i64>,
    takes_promotion_codes: bool,
}

fn on_sale(app: &App, key: &str) -> Result<Sale> {
    let unknown = |detail: String| Refused::UnknownPlan(detail);
    let offer = app.catalog.offer(key).ok_or_else(|| {
        let keys: Vec<&str> = app.catalog.for_sale().map(Offer::key).collect();
        let shown: String = key.chars().take(50).collect();
        unknown(format!("There is no {shown:?} on sale. On sale are: {}.", keys.join(", ")))
    })?;
    if offer.amount() == 0 {
        return Err(unknown(format!("{:?} costs nothing: there is nothing to buy.", offer.key())).into());
    }
    if offer.is_retired() {
        return Err(unknown(format!("{:?} is not on sale any more.", offer.key())).into());
    }
    let price = offer.price_id().ok_or_else(|| {
        let key = offer.key();
        unknown(format!("{key:?} is not on sale at the moment: the operator has not set its Stripe price id."))
    })?;
    Ok(Sale {
        mode: if matches!(offer, Offer::Plan(_)) { CheckoutMode::Subscription } else { CheckoutMode::Payment },
        offer: offer.key().to_owned(),
        units: offer.units(),
        amount: offer.amount(),
        price: price.to_owned(),
        expires_in_days: offer.expiry().days(),
        takes_promotion_codes: offer.takes_promotion_codes(),
    })
}

/// Allows one subscription per user. A user who has one gets a link to change it.
fn refuse_second(app: &App, user: &User) -> Result<()> {
    match app.store.read(|tx| subscriptions::live_of(tx, user.account))?.is_empty() {
        true => Ok(()),
        // If Stripe opens no portal, the dashboard shows the subscription.
        false => {
            let portal_url = portal::open(app, user).unwrap_or_else(|_| app.url("/dashboard"));
            Err(Refused::AlreadySubscribed { portal_url }.into())
        }
    }
}

fn store_order(app: &App, user: &User, sale: &Sale, customer: &str, return_url: Option<String>) -> Result<Order> {
    let now = app.clock.now();
    let id = id::ordered_id("ord", now)?;
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let request = CheckoutRequest {
        mode: sale.mode,
        price: sale.price.clone(),
        quantity: 1,
        customer: Some(customer.to_owned()),
        client_reference_id: Some(user.id.clone()),
        metadata: vec![pair("user_id", &user.id), pair("plan", &sale.offer), pair("order_id", &id)],
        success_url: with_session_id(&app.url("/billing/return")),
        cancel_url: return_url.clone().unwrap_or_else(|| app.url("/dashboard")),
        expires_at: None,
        allow_promotion_codes: sale.takes_promotion_codes,
    };
    let order = Order {
        id,
        account: user.account,
        offer: sale.offer.clone(),
        kind: if sale.mode == CheckoutMode::Subscription { OfferKind::Plan } else { OfferKind::Pack },
        units: sale.units,
        amount: sale.amount,
        currency: app.catalog.currency.clone(),
        price: sale.price.clone(),
        expires_in_days: sale.expires_in_days,
        return_url,
        request_body: request.body(),
        session: None,
        subtotal: None,
        created_at: now,
        pending_at: None,
        paid_at: None,
        failed_at: None,
        expired_at: None,
    };
    let stored = order.clone();
    app.store.write(move |tx| orders::add(tx, &stored))?;
    Ok(order)
}

fn open(app: &App, user: &User, order: &Order, session: &CheckoutSession) -> Result<Checkout> {
    let url = session.url.clone().ok_or_else(|| Fault::bare(format!("Stripe's session {} has no URL", session.id)))?;
    let id = order.id.clone();
    let opened = session.clone();
    let now = app.clock.now();
    app.store
        .write(move |tx| orders::opened(tx, &id, &opened.id, opened.url.as_deref(), opened.amount_subtotal, now))?;
    tracing::info!(
        event = "checkout_created",
        user_id = user.id,
        plan = order.offer,
        session_id = session.id,
        order = order.id
    );
    Ok(Checkout { checkout_url: url, session_id: session.id.clone() })
}

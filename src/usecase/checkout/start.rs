//! A purchase starts: the order records what is on sale now, then Stripe creates a Checkout Session.

use crate::app::App;
use crate::catalog::{Offer, Selling};
use crate::clock::Deadline;
use crate::error::{Error, Fault, Refused, Result};
use crate::id;
use crate::store::orders::{self, OfferKind, Order};
use crate::store::subscriptions;
use crate::store::users::User;
use crate::stripe::requests::with_session_id;
use crate::stripe::{CheckoutMode, CheckoutRequest, CheckoutTerms};
use crate::usecase::audit;
use crate::usecase::checkout::customer::{customer_of, forget_customer, to_user_error};
use crate::usecase::checkout::one_plan::{self, Obstacle, already_subscribed};
use crate::usecase::checkout::session;
use crate::usecase::users::sign_in::allowed_url;

pub use crate::usecase::checkout::session::Checkout;

/// How often an earlier checkout is settled before a new one begins. Only presses at the same moment need more than two.
const ROUNDS: usize = 4;

/// What somebody wants to buy, and where they want to return to.
pub struct PurchaseRequest {
    sale: Sale,
    return_url: Option<String>,
}

impl PurchaseRequest {
    /// Refuses what nobody can buy, and to return where it is not allowed, before the caller is charged for the press. It
    /// asks neither the database nor Stripe. `key` is a plan's or a pack's.
    pub fn new(app: &App, key: &str, return_url: Option<&str>) -> Result<PurchaseRequest> {
        let sale = on_sale(app, key)?;
        let return_url = return_url.map(|url| allowed_url(app, "return_url", url)).transpose()?;
        Ok(PurchaseRequest { sale, return_url })
    }
}

/// Creates a Stripe Checkout Session that sells to `user` what they want. The user waits until `deadline` in all.
pub fn start_checkout(app: &App, user: &User, request: PurchaseRequest, deadline: Deadline) -> Result<Checkout> {
    let PurchaseRequest { sale, return_url } = request;
    if sale.mode == CheckoutMode::Subscription {
        let (account, now) = (user.account, app.clock.now());
        if let Some(obstacle) = app.store.read(|tx| one_plan::obstacle(tx, account, now))? {
            return Err(obstacle.refusal(app, user, deadline));
        }
    }
    let customer = customer_of(app, user, deadline)?;
    let unfit = match attempt(app, user, &sale, &customer, return_url.clone(), deadline)? {
        Attempt::Opened(checkout) => return Ok(checkout),
        Attempt::Unfit(unfit, _) => unfit,
    };
    replace_customer(app, user, &sale, &customer, unfit, deadline)?;
    let customer = customer_of(app, user, deadline)?;
    match attempt(app, user, &sale, &customer, return_url, deadline)? {
        Attempt::Opened(checkout) => Ok(checkout),
        Attempt::Unfit(_, error) => Err(error),
    }
}

enum Attempt {
    Opened(Checkout),
    /// Another customer may succeed.
    Unfit(Unfit, Error),
}

/// Why nothing can be sold to a customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unfit {
    /// It was deleted at Stripe.
    Deleted,
    /// Stripe has bound it to another currency.
    OtherCurrency,
}

/// Gives up the user's customer, so that the next one takes its place. A customer with a subscription in another
/// currency is kept: then the refusal says to end that first.
fn replace_customer(
    app: &App,
    user: &User,
    sale: &Sale,
    customer: &str,
    unfit: Unfit,
    deadline: Deadline,
) -> Result<()> {
    let live = app.store.read(|tx| subscriptions::live_of(tx, user.account))?;
    if unfit == Unfit::OtherCurrency
        && let Some(subscription) = live.first()
    {
        let name = |key: &str| app.catalog.offer(key).map_or("your plan", Offer::name).to_owned();
        let (plan, currency) = (name(&subscription.offer), app.catalog.currency.to_ascii_uppercase());
        let detail = format!(
            "{} is sold in {currency}, and you pay for {plan} in another currency. Stripe takes one currency at a time. \
             End {plan} in the customer portal, and buy again when it has ended.",
            name(&sale.offer)
        );
        return Err(already_subscribed(app, user, detail, deadline));
    }
    let event = match unfit {
        Unfit::Deleted => "customer_gone",
        Unfit::OtherCurrency => "customer_of_other_currency",
    };
    tracing::info!(event, user_id = user.id, customer);
    forget_customer(app, customer).map(drop)
}

fn attempt(
    app: &App,
    user: &User,
    sale: &Sale,
    customer: &str,
    return_url: Option<String>,
    deadline: Deadline,
) -> Result<Attempt> {
    let order = match place_order(app, user, sale, customer, return_url, deadline)? {
        Placement::New(order) => order,
        Placement::Earlier(checkout) => return Ok(Attempt::Opened(checkout)),
    };
    let error = match session::create(app, user, &order, deadline)? {
        Ok(session) => return Ok(Attempt::Opened(Checkout::of(session)?)),
        Err(error) => error,
    };
    let unfit = match &error {
        error if error.is_missing_param("customer") => Some(Unfit::Deleted),
        error if error.is_other_currency() => Some(Unfit::OtherCurrency),
        _ => None,
    };
    let error = to_user_error(error, &order.id);
    match unfit {
        Some(unfit) => Ok(Attempt::Unfit(unfit, error)),
        None => Err(error),
    }
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

/// Where a new order stands.
enum Placement {
    New(Box<Order>),
    /// The same plan's checkout is open already, and is handed out again.
    Earlier(Checkout),
}

/// Stores the order of a press. Each press for a pack is an order of its own. An account has one open checkout for a
/// plan, so that two tabs cannot pay for two plans: an earlier one is handed out again or expired first.
fn place_order(
    app: &App,
    user: &User,
    sale: &Sale,
    customer: &str,
    return_url: Option<String>,
    deadline: Deadline,
) -> Result<Placement> {
    for _ in 0..ROUNDS {
        let id = id::ordered_id("ord", app.clock.now())?;
        let order = order_of(app, user, sale, customer, return_url.clone(), id);
        let earlier = match store_order(app, &order)? {
            StorageOutcome::New => return Ok(Placement::New(Box::new(order))),
            StorageOutcome::Hindered(obstacle) => return Err(obstacle.refusal(app, user, deadline)),
            StorageOutcome::Beside(earlier) => earlier,
        };
        // The request says everything about a sale. It is the same if nothing but the order's id differs.
        let again = order_of(app, user, sale, customer, return_url.clone(), earlier.id.clone());
        let is_wanted = again.request_body == earlier.request_body
            && (again.units, again.amount) == (earlier.units, earlier.amount);
        if let Some(checkout) = session::settle(app, user, &earlier, is_wanted, deadline)? {
            return Ok(Placement::Earlier(checkout));
        }
    }
    let detail = "Several checkouts of yours begin at the same time. Try again in a moment.".to_owned();
    Err(Refused::Unavailable { retry_after: 1, detail }.into())
}

enum StorageOutcome {
    New,
    /// The account has an open checkout for a plan: this one.
    Beside(Box<Order>),
    Hindered(Obstacle),
}

fn store_order(app: &App, order: &Order) -> Result<StorageOutcome> {
    let order = order.clone();
    let now = app.clock.now();
    audit::write(app, move |tx, trail| {
        if order.kind == OfferKind::Plan
            && let Some(obstacle) = one_plan::obstacle(tx, order.account, now)?
        {
            return Ok(StorageOutcome::Hindered(obstacle));
        }
        if orders::add(tx, &order)? {
            trail.add(tx, "checkout_started", &order.id, order.offer.clone())?;
            return Ok(StorageOutcome::New);
        }
        let earlier = orders::open_plan(tx, order.account)?;
        let earlier = earlier.ok_or_else(|| Fault::bare(format!("the order {} was not stored", order.id)))?;
        Ok(StorageOutcome::Beside(Box::new(earlier)))
    })
}

/// `Fox Pictures: 100 pictures`, where the shop has a name.
fn description(app: &App, offer: &str) -> Option<String> {
    let shop = app.catalog.shop.name.as_deref()?;
    let named = app.catalog.offer(offer).map(|offer| app.catalog.shop.titled(offer.name()));
    Some(named.unwrap_or_else(|| shop.to_owned()))
}

fn order_of(app: &App, user: &User, sale: &Sale, customer: &str, return_url: Option<String>, id: String) -> Order {
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let request = CheckoutRequest {
        mode: sale.mode,
        price: sale.price.clone(),
        quantity: 1,
        customer: Some(customer.to_owned()),
        client_reference_id: Some(user.id.clone()),
        metadata: vec![pair("user_id", &user.id), pair("plan", &sale.offer), pair("order_id", &id)],
        description: description(app, &sale.offer),
        success_url: with_session_id(&app.url("/billing/return")),
        cancel_url: return_url.clone().unwrap_or_else(|| app.url("/dashboard")),
        expires_at: None,
        allow_promotion_codes: sale.takes_promotion_codes,
        terms: terms(&app.catalog.selling),
    };
    Order {
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
        created_at: app.clock.now(),
        pending_at: None,
        paid_at: None,
        failed_at: None,
        expired_at: None,
    }
}

/// The catalogue's terms, as a request has them.
fn terms(selling: &Selling) -> CheckoutTerms {
    CheckoutTerms {
        invoices: selling.invoices,
        tax_ids: selling.tax_ids,
        automatic_tax: selling.automatic_tax,
        billing_address: selling.billing_address,
    }
}

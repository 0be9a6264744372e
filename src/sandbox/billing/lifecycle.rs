//! A subscription's life: it starts, is paid or not, renews, is paused, ends. Source: Stripe, "How subscriptions work".

use serde_json::{Value, json};

use super::calendar::{months_after, next_after};
use super::invoice::{self, Order};
use super::subscription::{self, Subscription, update};
use super::{collection, line, outcome};
use crate::sandbox::collect::{self, Outcome, Presence};
use crate::sandbox::refusal::Refusal;
use crate::sandbox::resource::change;
use crate::sandbox::shape::{SUBSCRIPTION, filled, integer, text};
use crate::sandbox::state::State;

const HOUR: i64 = 60 * 60;
/// How long a first invoice can be paid.
const FIRST_PAYMENT_TIME: i64 = 23 * HOUR;
/// How long before a trial's end it is announced.
const WARNING_TIME: i64 = 3 * 24 * HOUR;

/// When the first invoice is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstPayment {
    /// At once; if that fails, the subscription is `incomplete`.
    Allowed,
    /// By the client, later.
    Later,
    /// At once; if that fails, there is no subscription.
    OrNothing,
}

/// What a subscription is to be made of.
#[derive(Clone, Debug)]
pub struct Start {
    /// `cus_…`.
    pub customer: String,
    /// Prices, how many of each, and the items' metadata.
    pub items: Vec<(Value, i64, Value)>,
    /// What is bought once with it.
    pub purchases: Vec<line::Pending>,
    /// When its trial ends.
    pub trial_end: Option<i64>,
    /// A coupon, and the promotion code that gave it.
    pub coupon: Option<(Value, Value)>,
    /// When it is paid first.
    pub payment: FirstPayment,
    /// Whether the payer is there.
    pub presence: Presence,
    /// Further fields of the object.
    pub fields: Value,
}

/// Starts a subscription. Answers its id.
pub fn start(state: &mut State, wish: Start) -> Result<String, Refusal> {
    let id = state.new_id("sub_1", 24);
    let subscription = built(state, &id, &wish);
    let (customer, period, is_trial) = (wish.customer.clone(), subscription.period(), wish.trial_end.is_some());
    let mut lines = line::of_period(state, &subscription, period, is_trial);
    lines.extend(wish.purchases.iter().map(|pending| line::of_pending(state, pending)));
    let order = Order {
        reason: "subscription_create",
        lines,
        waiting: line::waiting(state, &customer, None),
        period: (period.0, period.0),
        discount: subscription.discount.clone(),
        ..order(&subscription, json!({ "auto_advance": false }))
    };
    let method = subscription::payment_method(state, &subscription.object);
    let intent = match wish.payment {
        FirstPayment::OrNothing => collect_first(state, &order, method.as_deref(), wish.presence)?,
        _ => None,
    };
    state.subscriptions.put(&id, subscription);
    let invoice = invoice::draft(state, order);
    if let Some(row) = state.subscriptions.get_mut(&id) {
        row.object["latest_invoice"] = json!(invoice);
    }
    use_discount(state, &id);
    if let Some(intent) = &intent {
        collection::attach(state, &invoice, intent);
    }
    invoice::finalize(state, &invoice)?;
    match (intent, wish.payment) {
        (Some(intent), _) => collection::intent_paid(state, &intent),
        (None, FirstPayment::Allowed) if is_open(state, &invoice) => {
            let _ = collection::pay(state, &invoice, None, wish.presence);
        }
        _ => {}
    }
    if let Some(row) = state.subscriptions.get_mut(&id) {
        row.is_new = false;
        let object = row.object.clone();
        state.emit("customer.subscription.created", object);
    }
    wake(state, &id);
    Ok(id)
}

pub(super) fn is_open(state: &State, invoice: &str) -> bool {
    state.invoices.get(invoice).is_some_and(|invoice| invoice.object["status"] == "open")
}

fn built(state: &mut State, id: &str, wish: &Start) -> Subscription {
    let now = state.now();
    let rhythm = wish.items.first().map(|(price, ..)| price["recurring"].clone()).unwrap_or_default();
    let anchor = wish.trial_end.unwrap_or(now);
    let end = wish.trial_end.unwrap_or_else(|| next_after(now, &rhythm, now));
    let items: Vec<Value> = wish
        .items
        .iter()
        .map(|(price, quantity, metadata)| new_item(state, id, price, *quantity, metadata, (now, end)))
        .collect();
    let mut object = filled(SUBSCRIPTION, wish.fields.clone());
    let status = if wish.trial_end.is_some() { "trialing" } else { "incomplete" };
    let currency = wish.items.first().map(|(price, ..)| price["currency"].clone());
    let fields = json!({
        "id": id, "created": now, "start_date": now, "billing_cycle_anchor": anchor, "customer": wish.customer,
        "currency": currency, "items": Subscription::item_list(id, &items), "status": status, "latest_invoice": null,
        "test_clock": state.test_clock_of(&wish.customer), "trial_end": wish.trial_end,
        "trial_start": wish.trial_end.map(|_| now),
    });
    change(&mut object, fields);
    if object["cancel_at_period_end"] == true {
        change(&mut object, json!({ "cancel_at": end, "canceled_at": now }));
    }
    let discount = wish.coupon.as_ref().map(|coupon| new_discount(state, id, &wish.customer, coupon));
    if let Some((discount, _)) = &discount {
        object["discounts"] = json!([discount]);
    }
    Subscription { object, is_new: true, was_warned: false, discount }
}

fn new_discount(state: &mut State, id: &str, customer: &str, coupon: &(Value, Value)) -> (String, Value) {
    let (coupon, promotion) = coupon;
    let (discount, now) = (state.new_id("di_1", 24), state.now());
    let months = coupon["duration_in_months"].as_i64().filter(|_| coupon["duration"] == "repeating");
    let row = json!({
        "id": discount, "object": "discount", "checkout_session": null, "customer": customer, "customer_account": null,
        "end": months.map(|months| months_after(now, months)), "invoice": null, "invoice_item": null,
        "promotion_code": promotion, "source": { "coupon": coupon["id"], "type": "coupon" }, "start": now,
        "subscription": id, "subscription_item": null,
    });
    state.discounts.put(&discount, row);
    (discount, coupon.clone())
}

/// Gives a subscription a coupon's discount, or takes its discount away.
pub fn set_discount(state: &mut State, id: &str, coupon: Option<&(Value, Value)>) {
    let Some(customer) = state.subscriptions.get(id).map(|row| row.customer().to_owned()) else { return };
    let discount = coupon.map(|coupon| new_discount(state, id, &customer, coupon));
    let shown: Vec<String> = discount.iter().map(|(id, _)| id.clone()).collect();
    if let Some(row) = state.subscriptions.get_mut(id) {
        row.discount = discount;
    }
    update(state, id, json!({ "discounts": shown }));
}

/// An item of a subscription.
pub fn new_item(
    state: &mut State,
    id: &str,
    price: &Value,
    quantity: i64,
    metadata: &Value,
    period: (i64, i64),
) -> Value {
    json!({
        "id": state.new_id("si_", 14), "object": "subscription_item", "billing_thresholds": null,
        "created": state.now(), "current_period_start": period.0, "current_period_end": period.1, "discounts": [],
        "metadata": metadata, "price": price, "quantity": quantity, "subscription": id, "tax_rates": [],
    })
}

/// An invoice's order as far as the subscription decides it.
pub fn order(subscription: &Subscription, fields: Value) -> Order {
    let object = &subscription.object;
    Order {
        customer: subscription.customer().to_owned(),
        subscription: Some((text(object, "id").to_owned(), object["metadata"].clone())),
        currency: text(object, "currency").to_owned(),
        period: subscription.period(),
        fields,
        ..Order::default()
    }
}

/// Collects what an invoice would come to, before there is one. `None`: nothing is due.
pub fn collect_first(
    state: &mut State,
    order: &Order,
    method: Option<&str>,
    presence: Presence,
) -> Result<Option<String>, Refusal> {
    let preview = invoice::preview(state, order.clone());
    let due = integer(&preview.object, "amount_due");
    if due == 0 {
        return Ok(None);
    }
    let Some(method) = method.and_then(|id| state.payment_methods.get(id)).cloned() else {
        let message = "This customer has no attached payment source or default payment method.";
        return Err(Refusal::invalid(message).code("resource_missing"));
    };
    let fields = json!({
        "amount": due, "currency": order.currency, "customer": order.customer, "payment_method_types": ["card"],
        "description": if order.reason == "subscription_create" { "Subscription creation" } else { "Subscription update" },
    });
    let intent = collect::add_intent(state, fields);
    let customer = state.customers.get(&order.customer).cloned().unwrap_or_default();
    match collect::attempt(state, &intent, &method, &customer, presence)? {
        Outcome::Paid => Ok(Some(intent)),
        Outcome::Pending | Outcome::NeedsAuthentication => {
            let message = "This card asks for its owner to authenticate, so nothing was paid.";
            Err(Refusal::card("subscription_payment_intent_requires_action", message))
        }
    }
}

/// Does what is due, and asks to be woken for what comes next.
pub fn wake(state: &mut State, id: &str) {
    let (now, Some(row)) = (state.now(), state.subscriptions.get(id)) else { return };
    if row.has_ended() {
        return;
    }
    let object = &row.object;
    let is_due = |field: &Value| field.as_i64().is_some_and(|at| at <= now);
    let (end, status) = (row.period().1, row.status());
    let is_overdue = status == "incomplete" && now >= integer(object, "created") + FIRST_PAYMENT_TIME;
    if is_overdue {
        outcome::expire(state, id);
    } else if is_due(&object["cancel_at"]) {
        outcome::cancel(state, id, "cancellation_requested");
    } else if is_due(&object["pause_collection"]["resumes_at"]) {
        update(state, id, json!({ "pause_collection": null }));
    } else if status == "trialing" && !row.was_warned && now >= integer(object, "trial_end") - WARNING_TIME {
        let object = object.clone();
        if let Some(row) = state.subscriptions.get_mut(id) {
            row.was_warned = true;
        }
        state.emit("customer.subscription.trial_will_end", object);
    } else if end <= now && !matches!(status, "incomplete" | "paused") {
        renew(state, id);
    } else {
        return rearm(state, id);
    }
    wake(state, id);
}

/// Asks to be woken for what comes next.
fn rearm(state: &mut State, id: &str) {
    let Some(row) = state.subscriptions.get(id) else { return };
    let (object, customer, now) = (&row.object, row.customer().to_owned(), state.now());
    let mut times = vec![object["cancel_at"].as_i64(), object["pause_collection"]["resumes_at"].as_i64()];
    match row.status() {
        "incomplete" => times.push(Some(integer(object, "created") + FIRST_PAYMENT_TIME)),
        "paused" => {}
        _ => times.push(Some(row.period().1)),
    }
    if row.status() == "trialing" && !row.was_warned {
        times.push(object["trial_end"].as_i64().map(|end| end - WARNING_TIME));
    }
    for at in times.into_iter().flatten().filter(|at| *at > now) {
        state.wake(&customer, at, id);
    }
}

/// Begins the next period, with its invoice as a draft.
fn renew(state: &mut State, id: &str) {
    let Some(row) = state.subscriptions.get(id).cloned() else { return };
    let missing = text(&row.object["trial_settings"]["end_behavior"], "missing_payment_method");
    let lacks_method = row.status() == "trialing" && subscription::payment_method(state, &row.object).is_none();
    match missing {
        "cancel" if lacks_method => return outcome::cancel(state, id, "payment_failed"),
        "pause" if lacks_method => {
            update(state, id, json!({ "status": "paused" }));
            return tell_paused(state, id);
        }
        _ => {}
    }
    let (_, start) = row.period();
    let anchor = integer(&row.object, "billing_cycle_anchor");
    begin_period(state, id, (start, next_after(anchor, row.rhythm(), start)), false);
}

fn tell_paused(state: &mut State, id: &str) {
    if let Some(object) = state.subscriptions.get(id).map(|row| row.object.clone()) {
        state.emit("customer.subscription.paused", object);
    }
}

/// Begins a period now: bills it, and whatever waits. `at_once`: the invoice does not stay a draft.
pub fn begin_period(state: &mut State, id: &str, period: (i64, i64), at_once: bool) {
    let Some(row) = state.subscriptions.get(id).cloned() else { return };
    let ended = row.period();
    let pause = text(&row.object["pause_collection"], "behavior").to_owned();
    let is_drafted = row.status() == "unpaid" || pause == "keep_as_draft";
    let fields = json!({ "auto_advance": !is_drafted && !at_once && pause.is_empty() });
    let order = Order {
        reason: if at_once { "subscription_update" } else { "subscription_cycle" },
        lines: line::of_period(state, &row, period, false),
        waiting: line::waiting(state, row.customer(), Some(id)),
        period: ended,
        discount: usable_discount(state, &row, period.0),
        ..order(&row, fields)
    };
    let invoice = invoice::draft(state, order);
    use_discount(state, id);
    let status = if row.status() == "trialing" { "active" } else { row.status() };
    let fields =
        json!({ "items": row.items_in_period(period.0, period.1), "latest_invoice": invoice, "status": status });
    update(state, id, fields);
    match pause.as_str() {
        "void" | "mark_uncollectible" => {
            let _ = invoice::finalize(state, &invoice);
            let _ = match pause.as_str() {
                "void" => invoice::void(state, &invoice),
                _ => invoice::mark_uncollectible(state, &invoice),
            };
        }
        _ if at_once && !is_drafted => invoice::advance(state, &invoice),
        _ => {}
    }
}

/// Ends a trial now: the first paid period begins, and is billed at once.
pub fn end_trial(state: &mut State, id: &str) {
    let (now, Some(row)) = (state.now(), state.subscriptions.get(id)) else { return };
    let period = (now, next_after(now, row.rhythm(), now));
    update(state, id, json!({ "trial_end": now, "billing_cycle_anchor": now }));
    begin_period(state, id, period, true);
    wake(state, id);
}

/// Lets a paused subscription go on: a period begins now, and is billed at once.
pub fn resume(state: &mut State, id: &str) {
    let (now, Some(row)) = (state.now(), state.subscriptions.get(id)) else { return };
    let period = (now, next_after(now, row.rhythm(), now));
    update(state, id, json!({ "status": "active", "billing_cycle_anchor": now }));
    if let Some(object) = state.subscriptions.get(id).map(|row| row.object.clone()) {
        state.emit("customer.subscription.resumed", object);
    }
    begin_period(state, id, period, true);
    wake(state, id);
}

fn usable_discount(state: &State, row: &Subscription, at: i64) -> Option<(String, Value)> {
    let (id, coupon) = row.discount.clone()?;
    let end = state.discounts.get(&id).and_then(|discount| discount["end"].as_i64());
    end.is_none_or(|end| end > at).then_some((id, coupon))
}

/// A discount that is given once is gone after an invoice.
fn use_discount(state: &mut State, id: &str) {
    if let Some(row) = state.subscriptions.get_mut(id)
        && row.discount.as_ref().is_some_and(|(_, coupon)| coupon["duration"] == "once")
    {
        row.discount = None;
        row.object["discounts"] = json!([]);
    }
}

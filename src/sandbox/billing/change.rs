//! Changing the prices and quantities of a subscription: what changes, what the rest of the period costs or gives back,
//! and when that is billed. Source: Stripe, "Prorations" and "Modify subscriptions".

use serde_json::{Value, json};

use super::calendar::{next_after, share};
use super::invoice::{self, InvoiceParts};
use super::line::{self, PendingItem};
use super::price::{required_unit, unit_in};
use super::subscription::{self, update};
use super::{cycle, invoice_payment, start};
use crate::sandbox::api_error::ApiError;
use crate::sandbox::collect::attempt::Presence;
use crate::sandbox::model::invoice::StoredInvoice;
use crate::sandbox::model::subscription::StoredSubscription;
use crate::sandbox::shape::{change, integer, text};
use crate::sandbox::state::State;

/// What happens to the difference for the rest of the period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proration {
    /// It waits for the next invoice.
    Waits,
    /// It is invoiced at once.
    AtOnce,
    /// There is no difference.
    None,
}

impl Proration {
    /// Reads Stripe's word. The default is `create_prorations`.
    pub fn read(word: Option<&str>) -> Proration {
        match word {
            Some("always_invoice") => Proration::AtOnce,
            Some("none") => Proration::None,
            _ => Proration::Waits,
        }
    }
}

/// A change of one item. Without an id it adds an item.
#[derive(Clone, Debug, Default)]
pub struct ItemChange {
    pub id: Option<String>,
    pub price: Option<Value>,
    pub quantity: Option<i64>,
    pub metadata: Option<Value>,
    pub is_deleted: bool,
}

#[derive(Clone, Debug)]
pub struct SubscriptionChange {
    pub items: Vec<ItemChange>,
    pub proration: Proration,
    /// When the difference starts to count. Now when `None`.
    pub at: Option<i64>,
    /// Nothing changes unless what is due at once is paid.
    pub requires_payment: bool,
    /// A new period begins now, even if the interval stays the same.
    pub restarts_period: bool,
    /// Further fields of the object.
    pub fields: Value,
}

/// Changes a subscription.
pub fn apply(state: &mut State, id: &str, wanted: SubscriptionChange) -> Result<(), ApiError> {
    let row = state.subscriptions.required("subscription", id, "id").cloned()?;
    let plan = plan_change(state, &row, &wanted)?;
    let pays_at_once = plan.restarts || wanted.proration == Proration::AtOnce && !plan.pending.is_empty();
    let intent = match pays_at_once && wanted.requires_payment {
        true => {
            let parts = parts_of(state, &row, &plan);
            let method = subscription::payment_method(state, &row.object);
            start::collect_first(state, &parts, method.as_deref(), Presence::Away)?
        }
        false => None,
    };
    for pending in &plan.pending {
        line::invoice_item(state, row.customer(), pending);
    }
    let mut fields = wanted.fields;
    if !wanted.items.is_empty() || plan.restarts {
        change(&mut fields, json!({ "items": StoredSubscription::item_list(id, &plan.items) }));
    }
    if plan.restarts {
        change(&mut fields, json!({ "billing_cycle_anchor": state.now() }));
    }
    if !pays_at_once {
        update(state, id, fields);
        cycle::wake_subscription(state, id);
        return Ok(());
    }
    let parts =
        InvoiceParts { lines: plan.full_lines(state, &row), waiting: waiting(state, &row, id), ..base_parts(&row) };
    let invoice = invoice::draft(state, parts);
    change(&mut fields, json!({ "latest_invoice": invoice }));
    update(state, id, fields);
    if let Some(intent) = &intent {
        invoice_payment::attach(state, &invoice, intent);
    }
    cycle::finalize(state, &invoice)?;
    match intent {
        Some(intent) => cycle::intent_paid(state, &intent),
        None if invoice::is_open(state, &invoice) => {
            cycle::collect(state, &invoice);
        }
        None => {}
    }
    cycle::wake_subscription(state, id);
    Ok(())
}

/// The next invoice, with this change or without one.
pub fn preview(state: &mut State, id: &str, wanted: Option<&SubscriptionChange>) -> Result<StoredInvoice, ApiError> {
    let row = state.subscriptions.get(id).cloned();
    let row = row.ok_or_else(|| ApiError::no_such("subscription", id, "subscription"))?;
    let waiting = waiting(state, &row, id);
    let mut parts = InvoiceParts { reason: "upcoming", waiting, ..base_parts(&row) };
    let plan = wanted.map(|wanted| plan_change(state, &row, wanted)).transpose()?;
    let after = match &plan {
        Some(plan) => {
            let list = StoredSubscription::item_list(id, &plan.items);
            let mut changed = row.clone();
            changed.object["items"] = list;
            changed
        }
        None => row.clone(),
    };
    let is_at_once = wanted.is_some_and(|wanted| wanted.proration == Proration::AtOnce);
    if let Some(plan) = &plan {
        parts.lines = plan.pending.iter().map(|pending| line::of_pending(state, pending)).collect();
        parts.lines.extend(plan.full_lines(state, &row));
    }
    if !is_at_once && !plan.is_some_and(|plan| plan.restarts) {
        let start = row.period().1;
        let end = next_after(integer(&row.object, "billing_cycle_anchor"), row.recurring(), start);
        parts.lines.extend(line::of_period(state, &after, (start, end), false));
    }
    Ok(invoice::preview(state, parts))
}

/// Cancels a subscription now. With `credits_rest` the rest of the period is credited first; with `invoices_now`
/// everything that waits is invoiced first.
pub fn cancel(state: &mut State, id: &str, credits_rest: bool, invoices_now: bool) {
    if credits_rest {
        credit_remaining_time(state, id);
    }
    if invoices_now {
        invoice_waiting(state, id);
    }
    subscription::cancel(state, id, "cancellation_requested");
}

/// Credits the rest of the period. The credit waits for the next invoice.
fn credit_remaining_time(state: &mut State, id: &str) {
    let Some(row) = state.subscriptions.get(id).cloned() else { return };
    let now = state.now();
    let credits: Vec<PendingItem> = row.items().iter().map(|item| proration(state, &row, item, true, now)).collect();
    for credit in credits.iter().filter(|credit| credit.amount != 0) {
        line::invoice_item(state, row.customer(), credit);
    }
}

/// Invoices at once what waits for a subscription.
fn invoice_waiting(state: &mut State, id: &str) {
    let Some(row) = state.subscriptions.get(id).cloned() else { return };
    let waiting = waiting(state, &row, id);
    if !waiting.is_empty() {
        let invoice = invoice::draft(state, InvoiceParts { waiting, ..base_parts(&row) });
        update(state, id, json!({ "latest_invoice": invoice }));
        cycle::finalize_and_collect(state, &invoice);
    }
}

struct ChangePlan {
    items: Vec<Value>,
    pending: Vec<PendingItem>,
    restarts: bool,
    period: (i64, i64),
}

impl ChangePlan {
    /// The lines of the period that begins now.
    fn full_lines(&self, state: &mut State, row: &StoredSubscription) -> Vec<Value> {
        if !self.restarts {
            return Vec::new();
        }
        self.items.iter().map(|item| line::of_item(state, &row.object, item, self.period, false)).collect()
    }
}

fn plan_change(
    state: &mut State,
    row: &StoredSubscription,
    wanted: &SubscriptionChange,
) -> Result<ChangePlan, ApiError> {
    let (now, is_trial) = (state.now(), row.status() == "trialing");
    let at = wanted.at.unwrap_or(now);
    if !(row.period().0..=row.period().1).contains(&at) {
        let message = "The proration date must be within the current period.";
        return Err(ApiError::invalid(message).param("proration_date"));
    }
    let mut items = changed_items(state, row, &wanted.items)?;
    let recurring = items.first().map(|item| item["price"]["recurring"].clone()).unwrap_or_default();
    if items.iter().any(|item| item["price"]["recurring"] != recurring) {
        return Err(ApiError::not_built("subscriptions whose items have different intervals"));
    }
    let restarts = !is_trial && (recurring != *row.recurring() || wanted.restarts_period);
    let mut pending = Vec::new();
    if !is_trial && wanted.proration != Proration::None {
        let differs = |item: &&Value, others: &[Value]| {
            restarts || !others.iter().any(|other| other["id"] == item["id"] && is_same(other, item))
        };
        let gone: Vec<&Value> = row.items().iter().filter(|item| differs(item, &items)).collect();
        pending.extend(gone.into_iter().map(|item| proration(state, row, item, true, at)));
        if !restarts {
            let new = items.iter().filter(|item| differs(item, row.items()));
            pending.extend(new.map(|item| proration(state, row, item, false, at)));
        }
        pending.retain(|pending| pending.amount != 0);
    }
    let period = if restarts { (now, next_after(now, &recurring, now)) } else { row.period() };
    for item in &mut items {
        change(item, json!({ "current_period_start": period.0, "current_period_end": period.1 }));
    }
    Ok(ChangePlan { items, pending, restarts, period })
}

fn is_same(one: &Value, other: &Value) -> bool {
    one["price"]["id"] == other["price"]["id"] && one["quantity"] == other["quantity"]
}

fn changed_items(state: &mut State, row: &StoredSubscription, changes: &[ItemChange]) -> Result<Vec<Value>, ApiError> {
    let (mut items, id) = (row.items().to_vec(), text(&row.object, "id").to_owned());
    for wanted in changes {
        if let Some(price) = &wanted.price {
            required_unit(state, price, text(&row.object, "currency"), "items[0][price]")?;
        }
        let Some(item) = &wanted.id else {
            let price = wanted.price.as_ref().ok_or_else(|| ApiError::missing("items[0][price]"))?;
            if items.iter().any(|item| item["price"]["id"] == price["id"]) {
                let message = "Cannot add multiple subscription items with the same plan/price.";
                return Err(ApiError::invalid(message).param("items"));
            }
            let metadata = wanted.metadata.clone().unwrap_or_else(|| json!({}));
            let quantity = wanted.quantity.unwrap_or(1);
            items.push(subscription::new_item(state, &id, price, quantity, &metadata, row.period()));
            continue;
        };
        let Some(place) = items.iter().position(|row| row["id"] == item.as_str()) else {
            return Err(ApiError::no_such("subscription item", item, "items[0][id]"));
        };
        if wanted.is_deleted {
            items.remove(place);
            continue;
        }
        for (field, value) in [
            ("price", wanted.price.clone()),
            ("quantity", wanted.quantity.map(|quantity| json!(quantity))),
            ("metadata", wanted.metadata.clone()),
        ] {
            if let Some(value) = value {
                items[place][field] = value;
            }
        }
    }
    match items.is_empty() {
        true => Err(ApiError::invalid(
            "A subscription must have at least one active plan. To cancel a subscription, please use the cancel API \
             endpoint on /v1/subscriptions.",
        )),
        false => Ok(items),
    }
}

fn proration(state: &State, row: &StoredSubscription, item: &Value, is_credit: bool, at: i64) -> PendingItem {
    let ((start, end), price) = (row.period(), &item["price"]);
    let currency = text(&row.object, "currency");
    let whole = unit_in(state, price, currency).unwrap_or_default().saturating_mul(integer(item, "quantity"));
    let amount = share(whole, end - at, end - start);
    PendingItem {
        amount: if is_credit { -amount } else { amount },
        currency: currency.to_owned(),
        description: line::proration_words(state, item, is_credit, at),
        price: price.clone(),
        quantity: integer(item, "quantity"),
        period: (at, end),
        item: Some((text(&row.object, "id").to_owned(), text(item, "id").to_owned())),
        metadata: json!({}),
    }
}

fn base_parts(row: &StoredSubscription) -> InvoiceParts {
    InvoiceParts {
        reason: "subscription_update",
        ..InvoiceParts::of_subscription(row, json!({ "auto_advance": false }))
    }
}

fn waiting(state: &State, row: &StoredSubscription, id: &str) -> Vec<Value> {
    line::waiting(state, row.customer(), Some(id))
}

/// The invoice that a change makes at once.
fn parts_of(state: &mut State, row: &StoredSubscription, plan: &ChangePlan) -> InvoiceParts {
    let mut lines: Vec<Value> = plan.pending.iter().map(|pending| line::of_pending(state, pending)).collect();
    lines.extend(plan.full_lines(state, row));
    let waiting = waiting(state, row, text(&row.object, "id"));
    InvoiceParts { lines, waiting, ..base_parts(row) }
}

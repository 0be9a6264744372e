//! `POST /v1/invoices/create_preview`: the next invoice of a subscription, as it is or with other prices and
//! quantities.

use serde_json::{Value, json};

use super::subscription_update::item_changes;
use crate::sandbox::api_error::ApiError;
use crate::sandbox::billing::change::{self, Proration, SubscriptionChange};
use crate::sandbox::call::ApiCall;
use crate::sandbox::params::{Rule, boolean, integer, one_of, text};
use crate::sandbox::shape;

pub const RULES: &[&[Rule]] = &[&[
    text("customer"),
    text("subscription").required(),
    text("subscription_details.items.#.id"),
    text("subscription_details.items.#.price"),
    integer("subscription_details.items.#.quantity"),
    boolean("subscription_details.items.#.deleted"),
    one_of("subscription_details.proration_behavior", &["always_invoice", "create_prorations", "none"]),
    integer("subscription_details.proration_date"),
]];

pub const NOT_BUILT: &[&str] = &[
    "automatic_tax",
    "currency",
    "customer_account",
    "customer_details",
    "discounts",
    "invoice_items",
    "issuer",
    "on_behalf_of",
    "preview_mode",
    "schedule",
    "schedule_details",
    "subscription_details",
];

/// The preview is not stored.
pub fn preview(call: &mut ApiCall<'_>) -> Result<Value, ApiError> {
    let id = call.form.text("subscription").unwrap_or_default().to_owned();
    let customer = call.state.subscriptions.get(&id).map(|row| row.customer().to_owned());
    call.state.follow_clock_of(&customer.unwrap_or_default());
    let items = item_changes(call, "subscription_details.items")?;
    let wanted = SubscriptionChange {
        items,
        proration: Proration::read(call.form.text("subscription_details.proration_behavior")),
        at: call.form.integer("subscription_details.proration_date"),
        requires_payment: false,
        restarts_period: false,
        fields: json!({}),
    };
    let wanted = Some(wanted).filter(|wanted| !wanted.items.is_empty());
    let mut invoice = change::preview(call.state, &id, wanted.as_ref())?;
    let shown = format!("upcoming_{}", shape::text(&invoice.object, "id"));
    invoice.object["id"] = json!(shown);
    invoice.total();
    Ok(invoice.object)
}

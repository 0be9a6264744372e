//! What customers may do in Stripe's customer portal: the configuration that till makes there, found again by its
//! metadata. Opening the portal for a customer is in `calls`; which plans are offered is the caller's to say.

use form_urlencoded::Serializer;
use serde_json::Value;

use super::ListQuery;
use super::client::Stripe;
use super::error::StripeError;
use super::objects::{Fields, Unreadable};
use crate::clock::Deadline;

const PATH: &str = "/v1/billing_portal/configurations";
/// The mark in the metadata by which ours is known, as a product is by its catalogue key.
const MARK: (&str, &str) = ("till_key", "portal");
/// Where the prices are noted that were set. Stripe takes the products of a configuration and does not give them back,
/// so that nothing else could tell whether they have changed since.
const PRICES: &str = "till_prices";

/// The most products between which a customer can change. Stripe, "The portal configuration object",
/// `features.subscription_update.products`.
pub const PRODUCTS_LIMIT: usize = 10;

/// A plan that customers can change to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortalPlan {
    /// The product at Stripe.
    pub product: String,
    /// Its price.
    pub price: String,
}

/// A configuration as Stripe has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortalConfiguration {
    /// `bpc_…`
    pub id: String,
    /// Whether it is the account's own, which sessions have that name none. Only the dashboard makes it.
    pub is_default: bool,
    /// Whether customers can change their plan in it.
    pub changes_plans: bool,
    is_ours: bool,
    is_complete: bool,
    prices: String,
}

/// The active configurations of an account, of those that matter here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortalConfigurations {
    /// The one that till made.
    pub ours: Option<PortalConfiguration>,
    /// The account's own.
    pub default: Option<PortalConfiguration>,
}

impl PortalConfiguration {
    fn read(value: &Value) -> Result<PortalConfiguration, Unreadable> {
        let fields = Fields::of("portal configuration", value)?;
        let metadata = fields.metadata(&["/metadata"])?;
        let is_on = |feature: &str| fields.first_flag(&[&format!("/features/{feature}/enabled")]);
        let changes_plans = is_on("subscription_update")?;
        let is_complete = is_on("invoice_history")?
            && is_on("payment_method_update")?
            && is_on("subscription_cancel")?
            && fields.word("/features/subscription_cancel/mode")? == "at_period_end"
            && (!changes_plans || fields.word("/features/subscription_update/proration_behavior")? == "always_invoice");
        Ok(PortalConfiguration {
            id: fields.id()?,
            is_default: fields.first_flag(&["/is_default"])?,
            changes_plans,
            is_ours: metadata.get(MARK.0).is_some_and(|mark| mark == MARK.1),
            is_complete,
            prices: metadata.get(PRICES).cloned().unwrap_or_default(),
        })
    }

    /// Whether it is one of ours that offers exactly these prices, on the terms that [`Stripe::put_portal_configuration`]
    /// sets.
    pub fn offers<'a>(&self, prices: impl IntoIterator<Item = &'a str>) -> bool {
        let prices = joined(prices);
        self.is_ours && self.is_complete && self.prices == prices && self.changes_plans != prices.is_empty()
    }
}

impl Stripe {
    /// The configurations that portal sessions can be opened with.
    pub fn portal_configurations(&self, deadline: Deadline) -> Result<PortalConfigurations, StripeError> {
        let query = [("active", "true")];
        let mut found = PortalConfigurations::default();
        // Stripe keeps a hundred at most, which is one page.
        for row in self.page(PATH, &query, &ListQuery::default(), PortalConfiguration::read, deadline)?.rows {
            if row.is_ours {
                found.ours = Some(row);
            } else if row.is_default {
                found.default = Some(row);
            }
        }
        Ok(found)
    }

    /// Makes our configuration, or sets the one with this id anew: customers see their invoices, change the card, end
    /// their subscription at its period's end, and change between these plans. A change is invoiced at once, so that the
    /// units of an upgrade are paid for, and those that a downgrade gives back the money for are taken, when it is made
    /// and not with the next renewal.
    pub fn put_portal_configuration(
        &self,
        id: Option<&str>,
        plans: &[PortalPlan],
        key: &str,
        deadline: Deadline,
    ) -> Result<PortalConfiguration, StripeError> {
        let path = id.map_or_else(|| PATH.to_owned(), |id| format!("{PATH}/{id}"));
        Ok(PortalConfiguration::read(&self.post(&path, &body(plans), key, deadline)?)?)
    }
}

fn joined<'a>(prices: impl IntoIterator<Item = &'a str>) -> String {
    prices.into_iter().collect::<Vec<_>>().join(",")
}

fn body(plans: &[PortalPlan]) -> String {
    let changes = if plans.is_empty() { "false" } else { "true" };
    let mut form = Serializer::new(String::new());
    form.extend_pairs([
        ("name", "till"),
        ("features[invoice_history][enabled]", "true"),
        ("features[payment_method_update][enabled]", "true"),
        ("features[subscription_cancel][enabled]", "true"),
        ("features[subscription_cancel][mode]", "at_period_end"),
        ("features[subscription_update][enabled]", changes),
    ]);
    if !plans.is_empty() {
        form.append_pair("features[subscription_update][default_allowed_updates][0]", "price");
        form.append_pair("features[subscription_update][proration_behavior]", "always_invoice");
    }
    for (place, plan) in plans.iter().enumerate() {
        let product = format!("features[subscription_update][products][{place}]");
        form.append_pair(&format!("{product}[product]"), &plan.product);
        form.append_pair(&format!("{product}[prices][0]"), &plan.price);
    }
    form.append_pair(&format!("metadata[{}]", MARK.0), MARK.1);
    form.append_pair(&format!("metadata[{PRICES}]"), &joined(plans.iter().map(|plan| plan.price.as_str())));
    form.finish()
}

//! The configuration of Stripe's customer portal: what customers may do there. till makes its own and finds it again by
//! its metadata. `calls` opens the portal for a customer. The caller decides which plans are offered.

use form_urlencoded::Serializer;
use serde_json::Value;

use crate::clock::Deadline;
use crate::stripe::ListQuery;
use crate::stripe::client::Stripe;
use crate::stripe::error::StripeError;
use crate::stripe::objects::{Fields, Unreadable};

/// Changes that wait for the end of the period: to less money, and to a shorter interval. All others are made at once.
const WAITING: [&str; 2] = ["decreasing_item_amount", "shortening_interval"];

const PATH: &str = "/v1/billing_portal/configurations";
/// The metadata that marks our configuration, as a catalogue key marks a product.
const MARK: (&str, &str) = ("till_key", "portal");
/// The metadata that records the prices. Stripe accepts the products of a configuration but never returns them, so
/// nothing else shows whether they have changed.
const PRICES: &str = "till_prices";

/// The most products that a customer can change between. Stripe, "The portal configuration object",
/// `features.subscription_update.products`.
pub const PRODUCTS_LIMIT: usize = 10;

/// A plan that customers can change to, by Stripe's ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortalPlan {
    pub product: String,
    pub price: String,
}

/// What the portal says of the shop. What the shop leaves open stays as it is at Stripe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortalShop<'a> {
    /// Shown above everything else.
    pub headline: Option<&'a str>,
    pub privacy_url: Option<&'a str>,
    pub terms_url: Option<&'a str>,
}

impl<'a> PortalShop<'a> {
    /// Stripe's fields and what they should hold.
    fn fields(self) -> impl Iterator<Item = (&'static str, &'a str)> {
        let all = [
            ("headline", self.headline),
            ("privacy_policy_url", self.privacy_url),
            ("terms_of_service_url", self.terms_url),
        ];
        all.into_iter().filter_map(|(field, words)| words.map(|words| (field, words)))
    }
}

/// A portal configuration (`bpc_…`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortalConfiguration {
    pub id: String,
    /// The account's own configuration, used by sessions that name none. Only Stripe's dashboard creates it.
    pub is_default: bool,
    /// Whether customers can change their plan.
    pub changes_plans: bool,
    is_ours: bool,
    is_complete: bool,
    prices: String,
    /// What is said of the shop: field and words.
    said: Vec<(&'static str, String)>,
}

/// The active configurations that matter here.
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
            && (!changes_plans || fields.word("/features/subscription_update/proration_behavior")? == "always_invoice")
            && (!changes_plans || puts_downgrades_off(&fields)?);
        let said = ["headline", "privacy_policy_url", "terms_of_service_url"];
        let said = said.into_iter().filter_map(|field| {
            let words = value.pointer(&format!("/business_profile/{field}")).and_then(Value::as_str)?;
            Some((field, words.to_owned()))
        });
        Ok(PortalConfiguration {
            said: said.collect(),
            id: fields.id()?,
            is_default: fields.first_flag(&["/is_default"])?,
            changes_plans,
            is_ours: metadata.get(MARK.0).is_some_and(|mark| mark == MARK.1),
            is_complete,
            prices: metadata.get(PRICES).cloned().unwrap_or_default(),
        })
    }

    /// Whether it is ours and offers exactly these prices, on the terms that [`Stripe::put_portal_configuration`] sets.
    pub fn offers<'a>(&self, prices: impl IntoIterator<Item = &'a str>) -> bool {
        let prices = joined(prices);
        self.is_ours && self.is_complete && self.prices == prices && self.changes_plans != prices.is_empty()
    }

    /// Whether it says of the shop what it should.
    pub fn presents(&self, shop: PortalShop<'_>) -> bool {
        shop.fields().all(|(field, words)| self.said.iter().any(|(said, found)| *said == field && found == words))
    }
}

impl Stripe {
    /// The configurations that portal sessions can be opened with.
    pub fn portal_configurations(&self, deadline: Deadline) -> Result<PortalConfigurations, StripeError> {
        let query = [("active", "true")];
        let mut configurations = PortalConfigurations::default();
        // Stripe allows at most a hundred, which is one page.
        for row in self.page(PATH, &query, &ListQuery::default(), PortalConfiguration::read, deadline)?.rows {
            if row.is_ours {
                configurations.ours = Some(row);
            } else if row.is_default {
                configurations.default = Some(row);
            }
        }
        Ok(configurations)
    }

    /// Creates our configuration, or resets the one with this id. Customers see their invoices, change the card, end
    /// their subscription at the end of its period, and change between these plans, under the shop's name. An upgrade is made and invoiced at
    /// once, so that its units are there when it is paid for. A downgrade waits for the end of the period that is paid
    /// for, so that no units are taken back.
    pub fn put_portal_configuration(
        &self,
        id: Option<&str>,
        (plans, shop): (&[PortalPlan], PortalShop<'_>),
        key: &str,
        deadline: Deadline,
    ) -> Result<PortalConfiguration, StripeError> {
        let path = id.map_or_else(|| PATH.to_owned(), |id| format!("{PATH}/{id}"));
        Ok(PortalConfiguration::read(&self.post(&path, &body(plans, shop), key, deadline)?)?)
    }
}

fn puts_downgrades_off(configuration: &Fields<'_>) -> Result<bool, Unreadable> {
    let conditions = configuration.array("/features/subscription_update/schedule_at_period_end/conditions")?;
    let kinds = conditions.map(Vec::as_slice).unwrap_or_default().iter().filter_map(|row| row["type"].as_str());
    let kinds: Vec<&str> = kinds.collect();
    Ok(WAITING.iter().all(|kind| kinds.contains(kind)))
}

fn joined<'a>(prices: impl IntoIterator<Item = &'a str>) -> String {
    prices.into_iter().collect::<Vec<_>>().join(",")
}

fn body(plans: &[PortalPlan], shop: PortalShop<'_>) -> String {
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
    form.extend_pairs(shop.fields().map(|(field, words)| (format!("business_profile[{field}]"), words)));
    if !plans.is_empty() {
        form.append_pair("features[subscription_update][default_allowed_updates][0]", "price");
        form.append_pair("features[subscription_update][proration_behavior]", "always_invoice");
        for (place, kind) in WAITING.iter().enumerate() {
            let condition = format!("features[subscription_update][schedule_at_period_end][conditions][{place}]");
            form.append_pair(&format!("{condition}[type]"), kind);
        }
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

//! What an operator sets up at Stripe: products, prices, the webhook endpoint. Each is found again by a key of ours, so
//! setting up twice creates no duplicates. The customer portal is in `portal`.

use form_urlencoded::Serializer;
use serde_json::Value;

use crate::clock::{Deadline, Timestamp};
use crate::stripe::client::Stripe;
use crate::stripe::error::StripeError;
use crate::stripe::objects::{Fields, List, Price, Unreadable};
use crate::stripe::{API_VERSION, ListQuery};

/// A webhook endpoint (`we_…`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StripeEndpoint {
    pub id: String,
    pub url: String,
    pub is_enabled: bool,
    /// Event types; `*` means all.
    pub enabled_events: Vec<String>,
    /// The API version of its events; the account's version if `None`.
    pub api_version: Option<String>,
    /// The signing secret. Stripe returns it only when the endpoint is created.
    pub secret: Option<String>,
}

impl StripeEndpoint {
    fn read(value: &Value) -> Result<StripeEndpoint, Unreadable> {
        let fields = Fields::of("webhook endpoint", value)?;
        let events = fields.array("/enabled_events")?.map(Vec::as_slice).unwrap_or_default();
        Ok(StripeEndpoint {
            id: fields.id()?,
            url: fields.word("/url")?,
            is_enabled: fields.word("/status")? == "enabled",
            enabled_events: events.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            api_version: fields.text("/api_version")?,
            secret: fields.text("/secret")?,
        })
    }
}

/// A price to create, with its product.
#[derive(Clone, Debug)]
pub struct NewPrice<'a> {
    /// The catalogue's key. The product's id is `till_` and this key.
    pub key: &'a str,
    /// Shown to the buyer.
    pub name: &'a str,
    /// Minor units.
    pub amount: i64,
    /// Three letters, lower case.
    pub currency: &'a str,
    /// `month` or `year`; `None` if it is paid once.
    pub interval: Option<&'a str>,
    /// Finds the price again.
    pub lookup_key: &'a str,
    /// Whether tax comes on top; `None` leaves it open.
    pub tax_behavior: Option<&'a str>,
}

impl Stripe {
    /// The active price with this lookup key.
    pub fn price_by_lookup_key(&self, key: &str, deadline: Deadline) -> Result<Option<Price>, StripeError> {
        let query = [("lookup_keys[]", key), ("active", "true"), ("limit", "1")];
        Ok(List::read(&self.get("/v1/prices", &query, deadline)?, Price::read)?.rows.into_iter().next())
    }

    /// Creates a price, and its product if it does not exist.
    pub fn create_price(&self, new: &NewPrice<'_>, key: &str, deadline: Deadline) -> Result<Price, StripeError> {
        let product = format!("till_{}", new.key);
        match self.get(&format!("/v1/products/{product}"), &[], deadline) {
            Ok(_) => {}
            Err(error) if error.is_missing() => {
                let pairs = [("id", product.as_str()), ("name", new.name), ("metadata[till_key]", new.key)];
                self.post("/v1/products", &form(&pairs), &format!("{key}_product"), deadline)?;
            }
            Err(error) => return Err(error),
        }
        let amount = new.amount.to_string();
        let mut pairs = vec![
            ("product", product.as_str()),
            ("unit_amount", &amount),
            ("currency", new.currency),
            ("lookup_key", new.lookup_key),
            ("metadata[till_key]", new.key),
        ];
        pairs.extend(new.interval.map(|interval| ("recurring[interval]", interval)));
        pairs.extend(new.tax_behavior.map(|behavior| ("tax_behavior", behavior)));
        Ok(Price::read(&self.post("/v1/prices", &form(&pairs), key, deadline)?)?)
    }

    /// Says of a price that left it open whether tax comes on top. Stripe takes this once.
    pub fn set_tax_behavior(
        &self,
        price: &str,
        behavior: &str,
        key: &str,
        deadline: Deadline,
    ) -> Result<Price, StripeError> {
        let path = format!("/v1/prices/{price}");
        Ok(Price::read(&self.post(&path, &form(&[("tax_behavior", behavior)]), key, deadline)?)?)
    }

    /// Describes a product: its buyers read this in the checkout.
    pub fn describe_product(&self, id: &str, words: &str, key: &str, deadline: Deadline) -> Result<(), StripeError> {
        self.post(&format!("/v1/products/{id}"), &form(&[("description", words)]), key, deadline).map(drop)
    }

    /// All webhook endpoints.
    pub fn webhook_endpoints(&self, deadline: Deadline) -> Result<Vec<StripeEndpoint>, StripeError> {
        Ok(self.page("/v1/webhook_endpoints", &[], &ListQuery::default(), StripeEndpoint::read, deadline)?.rows)
    }

    /// Creates a webhook endpoint for these events, in the API version that this program is written for.
    pub fn create_webhook_endpoint(
        &self,
        url: &str,
        events: &[&str],
        key: &str,
        deadline: Deadline,
    ) -> Result<StripeEndpoint, StripeError> {
        let mut pairs = vec![("url", url), ("api_version", API_VERSION), ("description", "till")];
        pairs.extend(events.iter().map(|event| ("enabled_events[]", *event)));
        Ok(StripeEndpoint::read(&self.post("/v1/webhook_endpoints", &form(&pairs), key, deadline)?)?)
    }

    /// Changes which events an endpoint receives.
    pub fn set_webhook_events(
        &self,
        id: &str,
        events: &[&str],
        key: &str,
        deadline: Deadline,
    ) -> Result<StripeEndpoint, StripeError> {
        let pairs: Vec<(&str, &str)> = events.iter().map(|event| ("enabled_events[]", *event)).collect();
        let path = format!("/v1/webhook_endpoints/{id}");
        Ok(StripeEndpoint::read(&self.post(&path, &form(&pairs), key, deadline)?)?)
    }

    /// Checks that Stripe accepts our key. Returns Stripe's time if the answer states it.
    pub fn ping(&self, deadline: Deadline) -> Result<Option<Timestamp>, StripeError> {
        self.get_and_time("/v1/prices", &[("limit", "1")], deadline).map(|(_, time)| time)
    }
}

fn form(pairs: &[(&str, &str)]) -> String {
    Serializer::new(String::new()).extend_pairs(pairs).finish()
}

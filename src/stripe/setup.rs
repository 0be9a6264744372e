//! What an operator sets up at Stripe: products, prices, the webhook endpoint. Each is found again by a key of ours,
//! so that setting up twice makes nothing twice. The customer portal has a file of its own, `portal`.

use form_urlencoded::Serializer;
use serde_json::Value;

use super::client::Stripe;
use super::error::StripeError;
use super::objects::{Fields, List, Price, Unreadable};
use super::{API_VERSION, ListQuery};
use crate::clock::{Deadline, Timestamp};

/// A webhook endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StripeEndpoint {
    /// `we_…`
    pub id: String,
    /// Where events go.
    pub url: String,
    /// Whether Stripe sends to it.
    pub is_enabled: bool,
    /// Which types it gets; `*` is all.
    pub enabled_events: Vec<String>,
    /// In which version events are written; the account's where there is none.
    pub api_version: Option<String>,
    /// What they are signed with; said once, when it is made.
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

/// A price to be made, with its product.
#[derive(Clone, Debug)]
pub struct NewPrice<'a> {
    /// The catalogue's key: the product's id is `till_` and it.
    pub key: &'a str,
    /// What the buyer reads.
    pub name: &'a str,
    /// Minor units.
    pub amount: i64,
    /// Three letters, lower case.
    pub currency: &'a str,
    /// `month` or `year`; `None` for what is paid once.
    pub interval: Option<&'a str>,
    /// How it is found again.
    pub lookup_key: &'a str,
}

impl Stripe {
    /// The price with this lookup key that can be bought.
    pub fn price_by_lookup_key(&self, key: &str, deadline: Deadline) -> Result<Option<Price>, StripeError> {
        let query = [("lookup_keys[]", key), ("active", "true"), ("limit", "1")];
        Ok(List::read(&self.get("/v1/prices", &query, deadline)?, Price::read)?.rows.into_iter().next())
    }

    /// Makes a price, and its product where there is none yet.
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
        Ok(Price::read(&self.post("/v1/prices", &form(&pairs), key, deadline)?)?)
    }

    /// All webhook endpoints.
    pub fn webhook_endpoints(&self, deadline: Deadline) -> Result<Vec<StripeEndpoint>, StripeError> {
        Ok(self.page("/v1/webhook_endpoints", &[], &ListQuery::default(), StripeEndpoint::read, deadline)?.rows)
    }

    /// Makes a webhook endpoint for these events, in the version that this program is written for.
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

    /// Changes which events an endpoint gets.
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

    /// Checks that Stripe accepts our key. Returns Stripe's time, where its answer has one.
    pub fn ping(&self, deadline: Deadline) -> Result<Option<Timestamp>, StripeError> {
        self.get_and_time("/v1/prices", &[("limit", "1")], deadline).map(|(_, time)| time)
    }
}

fn form(pairs: &[(&str, &str)]) -> String {
    Serializer::new(String::new()).extend_pairs(pairs).finish()
}

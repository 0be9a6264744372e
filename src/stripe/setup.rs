//! What an operator sets up at Stripe: products, prices, the webhook endpoint. Each is found again by a key of ours
//! or by what it is, so setting up twice creates no duplicates. The customer portal is in `portal`.

use form_urlencoded::Serializer;
use serde_json::Value;
use url::Url;

use crate::clock::{Deadline, Timestamp};
use crate::stripe::calls::checked;
use crate::stripe::client::Stripe;
use crate::stripe::error::StripeError;
use crate::stripe::objects::{Fields, List, Price, Unreadable};
use crate::stripe::{API_VERSION, ListQuery};

/// What the set-up writes into an endpoint's description.
const DESCRIPTION: &str = "till";

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
    /// For people; `till` if the set-up created it.
    pub description: String,
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
            description: fields.word("/description")?,
        })
    }

    /// Whether Stripe sends to this URL with it, but for a slash at the end and the writing of the host.
    pub fn leads_to(&self, url: &str) -> bool {
        same_place(&self.url, url)
    }

    /// Whether it looks like the endpoint of a till at another address.
    pub fn is_of_another_address(&self, url: &str) -> bool {
        let path = |url: &str| Url::parse(url).ok().map(|url| url.path().trim_end_matches('/').to_owned());
        !self.leads_to(url) && (self.description == DESCRIPTION || path(&self.url) == path(url))
    }

    /// The types of this list that it does not receive.
    pub fn lacks<'a>(&self, events: &[&'a str]) -> Vec<&'a str> {
        let gets = |kind: &str| self.enabled_events.iter().any(|event| event == kind || event == "*");
        events.iter().copied().filter(|kind| !gets(kind)).collect()
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
    /// Whether another price holds the lookup key, which then moves here.
    pub takes_lookup_key: bool,
}

/// A price and whether its product can be sold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PricedProduct {
    pub price: Price,
    /// `None` when Stripe did not say.
    pub is_product_active: Option<bool>,
    /// Whether Stripe bills by reported use, so that nothing can be bought with a quantity.
    pub is_metered: bool,
}

/// What is changed of a webhook endpoint; `None` stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EndpointChange<'a> {
    pub url: Option<&'a str>,
    pub is_enabled: Option<bool>,
    pub events: Option<&'a [&'a str]>,
}

impl PricedProduct {
    fn read(value: &Value) -> Result<PricedProduct, Unreadable> {
        let is_product_active = value.pointer("/product/active").and_then(Value::as_bool);
        let usage = value.pointer("/recurring/usage_type").and_then(Value::as_str);
        Ok(PricedProduct { price: Price::read(value)?, is_product_active, is_metered: usage == Some("metered") })
    }
}

impl Stripe {
    /// A price with its product, and what it costs in further currencies.
    pub fn priced_product(&self, id: &str, deadline: Deadline) -> Result<PricedProduct, StripeError> {
        let path = format!("/v1/prices/{}", checked(id)?);
        let query = [("expand[]", "product"), ("expand[]", "currency_options")];
        Ok(PricedProduct::read(&self.get(&path, &query, deadline)?)?)
    }

    /// The price that holds this lookup key, archived or not: a key belongs to one price of the account, and an archived
    /// one keeps it.
    pub fn price_by_lookup_key(&self, key: &str, deadline: Deadline) -> Result<Option<PricedProduct>, StripeError> {
        let query = [("lookup_keys[]", key), ("expand[]", "data.product"), ("limit", "1")];
        Ok(List::read(&self.get("/v1/prices", &query, deadline)?, PricedProduct::read)?.rows.into_iter().next())
    }

    /// The prices of a product that can be bought, newest first.
    pub fn prices_of(&self, product: &str, deadline: Deadline) -> Result<Vec<PricedProduct>, StripeError> {
        let query = [("product", product), ("active", "true"), ("expand[]", "data.product"), ("limit", "100")];
        Ok(List::read(&self.get("/v1/prices", &query, deadline)?, PricedProduct::read)?.rows)
    }

    /// Whether a product can be sold; `None` if there is no such product.
    pub fn is_product_active(&self, id: &str, deadline: Deadline) -> Result<Option<bool>, StripeError> {
        match self.get(&format!("/v1/products/{}", checked(id)?), &[], deadline) {
            Ok(product) => Ok(Some(product.pointer("/active").and_then(Value::as_bool) != Some(false))),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Lets an archived product be sold again.
    pub fn activate_product(&self, id: &str, key: &str, deadline: Deadline) -> Result<(), StripeError> {
        let path = format!("/v1/products/{}", checked(id)?);
        self.post(&path, &form(&[("active", "true")]), key, deadline).map(drop)
    }

    /// Creates the product of a price.
    pub fn create_product(
        &self,
        id: &str,
        new: &NewPrice<'_>,
        key: &str,
        deadline: Deadline,
    ) -> Result<(), StripeError> {
        let pairs = [("id", id), ("name", new.name), ("metadata[till_key]", new.key)];
        self.post("/v1/products", &form(&pairs), key, deadline).map(drop)
    }

    /// Creates a price of an existing product.
    pub fn create_price(
        &self,
        product: &str,
        new: &NewPrice<'_>,
        key: &str,
        deadline: Deadline,
    ) -> Result<Price, StripeError> {
        let amount = new.amount.to_string();
        let mut pairs = vec![
            ("product", product),
            ("unit_amount", &amount),
            ("currency", new.currency),
            ("lookup_key", new.lookup_key),
            ("metadata[till_key]", new.key),
        ];
        pairs.extend(new.interval.map(|interval| ("recurring[interval]", interval)));
        pairs.extend(new.tax_behavior.map(|behavior| ("tax_behavior", behavior)));
        pairs.extend(new.takes_lookup_key.then_some(("transfer_lookup_key", "true")));
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
        let mut pairs = vec![("url", url), ("api_version", API_VERSION), ("description", DESCRIPTION)];
        pairs.extend(events.iter().map(|event| ("enabled_events[]", *event)));
        Ok(StripeEndpoint::read(&self.post("/v1/webhook_endpoints", &form(&pairs), key, deadline)?)?)
    }

    /// Changes an endpoint. Its signing secret stays.
    pub fn change_webhook_endpoint(
        &self,
        id: &str,
        change: EndpointChange<'_>,
        key: &str,
        deadline: Deadline,
    ) -> Result<StripeEndpoint, StripeError> {
        let mut pairs: Vec<(&str, &str)> = change.url.map(|url| ("url", url)).into_iter().collect();
        pairs.extend(change.is_enabled.map(|is_enabled| ("disabled", if is_enabled { "false" } else { "true" })));
        pairs.extend(change.events.unwrap_or_default().iter().map(|event| ("enabled_events[]", *event)));
        let path = format!("/v1/webhook_endpoints/{}", checked(id)?);
        Ok(StripeEndpoint::read(&self.post(&path, &form(&pairs), key, deadline)?)?)
    }

    /// Checks that Stripe accepts our key. Returns Stripe's time if the answer states it.
    pub fn ping(&self, deadline: Deadline) -> Result<Option<Timestamp>, StripeError> {
        self.get_and_time("/v1/prices", &[("limit", "1")], deadline).map(|(_, time)| time)
    }
}

fn same_place(one: &str, other: &str) -> bool {
    let place = |url: &str| {
        let url = Url::parse(url).ok()?;
        let path = url.path().trim_end_matches('/').to_owned();
        Some((url.origin().ascii_serialization(), path, url.query().map(str::to_owned)))
    };
    place(one).is_some_and(|one| place(other) == Some(one))
}

fn form(pairs: &[(&str, &str)]) -> String {
    Serializer::new(String::new()).extend_pairs(pairs).finish()
}

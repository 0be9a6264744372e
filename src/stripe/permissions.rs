//! What a restricted key must allow, and how to find out whether it does: a list is read with one row, and a change names
//! an object that does not exist. Stripe looks at the key's permissions before it looks for the object, so nothing is
//! changed either way.

use crate::clock::Deadline;
use crate::id;
use crate::stripe::client::Stripe;
use crate::stripe::error::{StripeError, StripeErrorKind};

/// A row of the form in which Stripe's dashboard makes a restricted key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permission {
    /// The dashboard's name.
    pub name: &'static str,
    pub access: Access,
    /// Stripe's own name, as in its refusals and in the address of the dashboard's form.
    pub slug: &'static str,
    /// What till does with it.
    pub purpose: &'static str,
    questions: &'static [Question],
}

/// What is chosen in the row. Write includes read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
}

impl Access {
    /// The dashboard's word.
    pub fn word(self) -> &'static str {
        match self {
            Access::Read => "Read",
            Access::Write => "Write",
        }
    }
}

/// A call that a key without the permission is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    /// A list.
    Get(&'static str),
    /// A change of an object that does not exist.
    Post(&'static str, &'static str),
}

use Question::{Get, Post};

/// The permission that the greeting of a key needs.
pub const READS_PRICES: &str = "rak_plan_read";

/// The smallest set with which `serve` does everything and `check` can look at everything.
pub const NEEDED: [Permission; 13] = [
    Permission {
        name: "Checkout Sessions",
        access: Access::Write,
        slug: "rak_checkout_session_write",
        purpose: "opens checkouts and reads what was bought",
        questions: &[
            Post(
                "/v1/checkout/sessions",
                "mode=payment&success_url=https%3A%2F%2Fexample.com%2F&line_items[0][price]=price_till_check\
                 &line_items[0][quantity]=1",
            ),
            Get("/v1/checkout/sessions"),
        ],
    },
    Permission {
        name: "Customers",
        access: Access::Write,
        slug: "rak_customer_write",
        purpose: "makes a customer at the first purchase",
        questions: &[Post("/v1/customers/cus_till_check", "description=till+check")],
    },
    Permission {
        name: "Customer portal",
        access: Access::Write,
        slug: "rak_customer_portal_write",
        purpose: "opens the portal, and compares its plans with the catalogue",
        questions: &[
            Post("/v1/billing_portal/sessions", "customer=cus_till_check"),
            Get("/v1/billing_portal/configurations"),
        ],
    },
    read(
        "Subscriptions",
        "rak_subscription_read",
        "knows the plan of each user, and the one that follows",
        &[Get("/v1/subscriptions"), Get("/v1/subscription_schedules")],
    ),
    read("Invoices", "rak_invoice_read", "credits plans", &[Get("/v1/invoices"), Get("/v1/invoice_payments")]),
    read(
        "Credit notes",
        "rak_credit_note_read",
        "takes back what was credited to a customer",
        &[Get("/v1/credit_notes")],
    ),
    read("Charges and Refunds", "rak_charge_read", "takes back what was refunded", &[Get("/v1/refunds")]),
    read(
        "PaymentIntents",
        "rak_payment_intent_read",
        "tells a payment of ours from one of another product",
        &[Get("/v1/payment_intents")],
    ),
    read("Disputes", "rak_dispute_read", "takes back what is disputed", &[Get("/v1/disputes")]),
    read("Events", "rak_event_read", "finds what no webhook reported", &[Get("/v1/events")]),
    read("Prices", READS_PRICES, "compares the catalogue with what Stripe charges", &[Get("/v1/prices")]),
    read("Products", "rak_product_read", "till check finds archived products", &[Get("/v1/products")]),
    read("Webhook Endpoints", "rak_webhook_read", "till check looks at the endpoint", &[Get("/v1/webhook_endpoints")]),
];

/// What a key may also allow. Without it, a month's bookkeeping has no fees.
pub const OPTIONAL: [Permission; 1] = [read(
    "Balance Transaction Sources",
    "rak_balance_transaction_source_read",
    "till revenue export tells Stripe's fees",
    &[Get("/v1/balance_transactions")],
)];

/// What `till stripe setup` needs to write, in addition.
pub const NEEDED_BY_SETUP: [(&str, &str); 3] =
    [("Products", "rak_product_write"), ("Prices", "rak_plan_write"), ("Webhook Endpoints", "rak_webhook_write")];

const fn read(
    name: &'static str,
    slug: &'static str,
    purpose: &'static str,
    questions: &'static [Question],
) -> Permission {
    Permission { name, access: Access::Read, slug, purpose, questions }
}

/// The address of the dashboard's form for a restricted key, with these permissions chosen.
pub fn form_url(is_live: bool) -> String {
    let mode = if is_live { "" } else { "test/" };
    let chosen: String = NEEDED.iter().map(|permission| format!("&permissions[]={}", permission.slug)).collect();
    format!("https://dashboard.stripe.com/{mode}apikeys/create?name=till{chosen}")
}

impl Stripe {
    /// Whether our key has the permission. Fails if Stripe could not be asked.
    pub fn has_permission(&self, permission: &Permission, deadline: Deadline) -> Result<bool, StripeError> {
        for question in permission.questions {
            let answer = match question {
                Get(path) => self.get(path, &[("limit", "1")], deadline),
                Post(path, body) => {
                    let key = id::secret("till_check_")
                        .map_err(|fault| StripeError::unsent(StripeErrorKind::Unavailable, &fault.to_string()))?;
                    self.post(path, body, &key, deadline)
                }
            };
            match answer {
                Ok(_) => {}
                Err(error) => match error.kind {
                    StripeErrorKind::Rejected | StripeErrorKind::Missing { .. } => {}
                    StripeErrorKind::Forbidden { .. } => return Ok(false),
                    _ => return Err(error),
                },
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::{NEEDED, OPTIONAL, Question};

    /// A key may be refused this one: the refusal names the account.
    const NOT_NEEDED: [&str; 1] = ["/v1/account"];

    #[test]
    fn every_resource_that_is_called_has_its_permission() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/stripe");
        let asked: Vec<&str> = NEEDED
            .iter()
            .chain(&OPTIONAL)
            .flat_map(|permission| permission.questions)
            .map(|question| match question {
                Question::Get(path) | Question::Post(path, _) => *path,
            })
            .collect();
        let mut called = 0;
        for file in std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).filter(|path| path.is_file()) {
            let source = std::fs::read_to_string(&file).unwrap();
            let source = source.split("#[cfg(test)]").next().unwrap_or_default();
            for literal in source.split('"').filter(|literal| literal.starts_with("/v1/") && *literal != "/v1/") {
                let segments = if literal.starts_with("/v1/checkout") || literal.contains("portal/") { 4 } else { 3 };
                let resource = literal.split('/').take(segments).collect::<Vec<_>>().join("/");
                called += 1;
                let is_asked = asked.iter().any(|path| path.starts_with(&resource));
                assert!(is_asked || NOT_NEEDED.contains(&resource.as_str()), "{}: {literal}", file.display());
            }
        }
        assert!(called > 20, "the calls were not found");
    }
}

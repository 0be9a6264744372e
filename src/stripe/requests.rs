//! The exact bodies of our requests, in Stripe's form encoding (OpenAPI description of 2026-05-27).
//!
//! A body is a string on purpose. The caller stores it with its idempotency key before the first attempt, because
//! Stripe refuses the same key with any other body.

use form_urlencoded::Serializer;

use crate::clock::Timestamp;

/// Stripe replaces this by the session's id in a `success_url`.
pub const SESSION_ID_PLACEHOLDER: &str = "{CHECKOUT_SESSION_ID}";

/// The longest `client_reference_id` that Stripe takes, in characters.
const CLIENT_REFERENCE_LIMIT: usize = 200;

/// What kind of sale a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckoutMode {
    /// Paid once: a pack.
    Payment,
    /// Paid repeatedly: a plan.
    Subscription,
}

/// A Checkout Session to create (`POST /v1/checkout/sessions`).
///
/// `payment_method_types` is never sent (refused since 2026-09-30; Stripe's dashboard decides), nor is `ui_mode`
/// (renamed on 2026-03-25; its default is ours).
#[derive(Clone, Debug)]
pub struct CheckoutRequest {
    pub mode: CheckoutMode,
    pub price: String,
    pub quantity: u32,
    pub customer: Option<String>,
    /// Left out if it is longer than 200 characters.
    pub client_reference_id: Option<String>,
    /// Set on the session, and again on the payment intent or the subscription, which inherit nothing.
    pub metadata: Vec<(String, String)>,
    /// What the payment or the subscription is for, as receipts and Stripe's dashboard say it.
    pub description: Option<String>,
    /// Where the buyer goes after paying. [`with_session_id`] adds the session's id to it.
    pub success_url: String,
    /// Where a buyer who does not pay goes.
    pub cancel_url: String,
    /// The end of the session: 30 minutes to 24 hours from now. Stripe's default is 24 hours.
    pub expires_at: Option<Timestamp>,
    pub allow_promotion_codes: bool,
    pub terms: CheckoutTerms,
}

/// What a checkout asks for beside the money, and what it leaves behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CheckoutTerms {
    /// A payment makes an invoice (`invoice_creation`). A subscription always makes one, so Stripe takes it in
    /// `payment` mode only.
    pub invoices: bool,
    /// A business may enter its tax id, and its name with it.
    pub tax_ids: bool,
    /// Stripe Tax computes the tax, by the buyer's address.
    pub automatic_tax: bool,
    /// The buyer enters the whole billing address.
    pub billing_address: bool,
}

impl CheckoutRequest {
    /// The form-encoded body.
    pub fn body(&self) -> String {
        let (mode, inner, description) = match self.mode {
            CheckoutMode::Payment => ("payment", "payment_intent_data[metadata]", "payment_intent_data[description]"),
            CheckoutMode::Subscription => {
                ("subscription", "subscription_data[metadata]", "subscription_data[description]")
            }
        };
        let reference =
            self.client_reference_id.as_deref().filter(|text| text.chars().count() <= CLIENT_REFERENCE_LIMIT);
        let expires_at = self.expires_at.map(|at| at.seconds().to_string());

        let mut form = Serializer::new(String::new());
        form.append_pair("mode", mode);
        form.append_pair("line_items[0][price]", &self.price);
        form.append_pair("line_items[0][quantity]", &self.quantity.to_string());
        append_some(&mut form, "customer", self.customer.as_deref());
        append_some(&mut form, "client_reference_id", reference);
        append_metadata(&mut form, "metadata", &self.metadata);
        append_metadata(&mut form, inner, &self.metadata);
        append_some(&mut form, description, self.description.as_deref());
        form.append_pair("success_url", &self.success_url);
        form.append_pair("cancel_url", &self.cancel_url);
        append_some(&mut form, "expires_at", expires_at.as_deref());
        append_some(&mut form, "allow_promotion_codes", self.allow_promotion_codes.then_some("true"));
        self.append_terms(&mut form);
        form.finish()
    }

    fn append_terms(&self, form: &mut Serializer<'_, String>) {
        let CheckoutTerms { invoices, tax_ids, automatic_tax, billing_address } = self.terms;
        if invoices && self.mode == CheckoutMode::Payment {
            form.append_pair("invoice_creation[enabled]", "true");
            append_metadata(form, "invoice_creation[invoice_data][metadata]", &self.metadata);
        }
        append_some(form, "tax_id_collection[enabled]", tax_ids.then_some("true"));
        append_some(form, "automatic_tax[enabled]", automatic_tax.then_some("true"));
        append_some(form, "billing_address_collection", billing_address.then_some("required"));
        // For a customer who exists, Stripe takes a tax id or computes a tax only if it may write what the buyer enters
        // into the customer. The address is also what later invoices show. Stripe, "Create a Checkout Session",
        // `customer_update`.
        if self.customer.is_some() {
            let takes_address = tax_ids || automatic_tax || billing_address;
            append_some(form, "customer_update[name]", tax_ids.then_some("auto"));
            append_some(form, "customer_update[address]", takes_address.then_some("auto"));
        }
    }
}

/// `url` with the query field `session_id`, which Stripe fills in. It is appended as text, because a URL library would
/// escape the braces that Stripe looks for.
pub fn with_session_id(url: &str) -> String {
    let joint = if url.contains('?') { '&' } else { '?' };
    format!("{url}{joint}session_id={SESSION_ID_PLACEHOLDER}")
}

/// A customer to create (`POST /v1/customers`).
#[derive(Clone, Debug, Default)]
pub struct CustomerRequest {
    /// Receipts go there.
    pub email: Option<String>,
    /// Shown on invoices.
    pub name: Option<String>,
    pub metadata: Vec<(String, String)>,
}

impl CustomerRequest {
    /// The form-encoded body.
    pub fn body(&self) -> String {
        let mut form = Serializer::new(String::new());
        append_some(&mut form, "email", self.email.as_deref());
        append_some(&mut form, "name", self.name.as_deref());
        append_metadata(&mut form, "metadata", &self.metadata);
        form.finish()
    }
}

/// A visit to the customer portal (`POST /v1/billing_portal/sessions`).
#[derive(Clone, Debug)]
pub struct PortalRequest {
    pub customer: String,
    /// The target of the portal's link back.
    pub return_url: String,
    /// The account's own configuration if `None`.
    pub configuration: Option<String>,
}

impl PortalRequest {
    /// The form-encoded body.
    pub fn body(&self) -> String {
        let mut form = Serializer::new(String::new());
        form.append_pair("customer", &self.customer);
        form.append_pair("return_url", &self.return_url);
        append_some(&mut form, "configuration", self.configuration.as_deref());
        form.finish()
    }
}

fn append_some(form: &mut Serializer<'_, String>, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        form.append_pair(name, value);
    }
}

fn append_metadata(form: &mut Serializer<'_, String>, name: &str, pairs: &[(String, String)]) {
    for (key, value) in pairs {
        form.append_pair(&format!("{name}[{key}]"), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(body: &str) -> Vec<(String, String)> {
        form_urlencoded::parse(body.as_bytes()).into_owned().collect()
    }

    fn request(mode: CheckoutMode) -> CheckoutRequest {
        CheckoutRequest {
            mode,
            price: "price_1".to_owned(),
            quantity: 1,
            customer: Some("cus_1".to_owned()),
            client_reference_id: Some("ord_1".to_owned()),
            metadata: vec![("user_id".to_owned(), "a&b=ü@example.org".to_owned())],
            description: None,
            success_url: with_session_id("https://example.org/billing/return"),
            cancel_url: "https://example.org/billing?cancelled=1&x".to_owned(),
            expires_at: Some(Timestamp::from_millis(1_790_000_000_999)),
            allow_promotion_codes: true,
            terms: CheckoutTerms::default(),
        }
    }

    #[test]
    fn a_session_carries_its_metadata_twice_and_the_braces_unescaped() {
        for (mode, word, inner) in [
            (CheckoutMode::Payment, "payment", "payment_intent_data[metadata][user_id]"),
            (CheckoutMode::Subscription, "subscription", "subscription_data[metadata][user_id]"),
        ] {
            let expected = [
                ("mode", word),
                ("line_items[0][price]", "price_1"),
                ("line_items[0][quantity]", "1"),
                ("customer", "cus_1"),
                ("client_reference_id", "ord_1"),
                ("metadata[user_id]", "a&b=ü@example.org"),
                (inner, "a&b=ü@example.org"),
                ("success_url", "https://example.org/billing/return?session_id={CHECKOUT_SESSION_ID}"),
                ("cancel_url", "https://example.org/billing?cancelled=1&x"),
                ("expires_at", "1790000000"),
                ("allow_promotion_codes", "true"),
            ];
            assert_eq!(
                decoded(&request(mode).body()),
                expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
            );
        }
    }

    #[test]
    fn each_term_of_a_sale_is_sent_where_stripe_takes_it() {
        const ALL: CheckoutTerms =
            CheckoutTerms { invoices: true, tax_ids: true, automatic_tax: true, billing_address: true };
        const NONE: CheckoutTerms =
            CheckoutTerms { invoices: false, tax_ids: false, automatic_tax: false, billing_address: false };
        let (payment, subscription) = (CheckoutMode::Payment, CheckoutMode::Subscription);
        let invoice = ["invoice_creation[enabled]=true", "invoice_creation[invoice_data][metadata][user_id]=a"];
        let tax_ids = ["tax_id_collection[enabled]=true"];
        let tax = ["automatic_tax[enabled]=true"];
        let address = ["billing_address_collection=required"];
        let (own_name, own_address) = (["customer_update[name]=auto"], ["customer_update[address]=auto"]);
        for (mode, customer, terms, expected) in [
            (payment, "cus_1", NONE, vec![]),
            (payment, "cus_1", CheckoutTerms { invoices: true, ..NONE }, invoice.to_vec()),
            (subscription, "cus_1", CheckoutTerms { invoices: true, ..NONE }, vec![]),
            (payment, "cus_1", CheckoutTerms { tax_ids: true, ..NONE }, [tax_ids, own_name, own_address].concat()),
            (subscription, "cus_1", CheckoutTerms { automatic_tax: true, ..NONE }, [tax, own_address].concat()),
            (payment, "cus_1", CheckoutTerms { billing_address: true, ..NONE }, [address, own_address].concat()),
            (payment, "", CheckoutTerms { invoices: false, ..ALL }, [tax_ids, tax, address].concat()),
            (subscription, "cus_1", ALL, [tax_ids, tax, address, own_name, own_address].concat()),
        ] {
            let pairs = vec![("user_id".to_owned(), "a".to_owned())];
            let customer = Some(customer.to_owned()).filter(|id| !id.is_empty());
            let plain = CheckoutRequest { metadata: pairs, customer, ..request(mode) };
            let names = decoded(&CheckoutRequest { terms, ..plain.clone() }.body());
            let before = decoded(&plain.body());
            let added: Vec<String> = names
                .iter()
                .filter(|pair| !before.contains(pair))
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            assert_eq!(added, expected, "{mode:?} {terms:?}");
        }
    }

    #[test]
    fn what_is_not_given_is_not_sent() {
        for (length, sent) in [(200, true), (201, false)] {
            let bare = CheckoutRequest {
                customer: None,
                client_reference_id: Some("ü".repeat(length)),
                metadata: Vec::new(),
                expires_at: None,
                allow_promotion_codes: false,
                ..request(CheckoutMode::Payment)
            };
            let mut names: Vec<String> = decoded(&bare.body()).into_iter().map(|(name, _)| name).collect();
            names.retain(|name| name != "client_reference_id" || !sent);
            assert_eq!(
                names,
                ["mode", "line_items[0][price]", "line_items[0][quantity]", "success_url", "cancel_url"],
                "{length}"
            );
        }
        assert_eq!(CustomerRequest::default().body(), "");
        assert_eq!(with_session_id("https://a/b?c=d"), "https://a/b?c=d&session_id={CHECKOUT_SESSION_ID}");
    }
}

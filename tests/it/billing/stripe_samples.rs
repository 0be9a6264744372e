//! Stripe's sample events, of many API versions, all of which must be readable: as events, and as the objects that they
//! enclose. The samples are not in this tree: without them this says so, and passes.

use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::left_out;
use serde_json::Value;
use till::stripe::{
    Charge, CheckoutMode, CheckoutRequest, CheckoutSession, CheckoutTerms, Customer, CustomerRequest, Dispute,
    EventEnvelope, Invoice, InvoicePayment, PortalRequest, Refund, Subscription, Unreadable,
};

/// Files below this many mean that the search went wrong.
const FEWEST_SAMPLES: usize = 100;

fn samples_folder() -> Option<PathBuf> {
    let shared = std::env::var_os("TILL_SHARED").map_or_else(|| PathBuf::from("../shared"), PathBuf::from);
    let folder = shared.join("stripe");
    if folder.is_dir() {
        return Some(folder);
    }
    left_out(&format!("Stripe's samples: there are none in {} (TILL_SHARED names another folder)", folder.display()));
    None
}

fn files_under(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files_under(&path, found),
            false => found.push(path),
        }
    }
}

/// Reads what the event encloses by its own type, and says what the reading found worth checking: its id.
fn read_object(object: &Value) -> Result<Option<String>, Unreadable> {
    let id = match object["object"].as_str().unwrap_or_default() {
        "checkout.session" => CheckoutSession::read(object)?.id,
        "customer" => Customer::read(object)?.id,
        "charge" => Charge::read(object)?.id,
        "refund" => Refund::read(object)?.id,
        "dispute" => Dispute::read(object)?.id,
        "invoice" => Invoice::read(object)?.id,
        "invoice_payment" => InvoicePayment::read(object)?.id,
        "subscription" => Subscription::read(object)?.id,
        _ => return Ok(None),
    };
    Ok(Some(id))
}

#[test]
fn every_sample_is_an_event_about_an_object_that_can_be_read() {
    let Some(folder) = samples_folder() else { return };
    let mut files = Vec::new();
    files_under(&folder.join("events"), &mut files);
    let mut read = 0;
    for path in files {
        let event =
            EventEnvelope::parse(&fs::read(&path).unwrap()).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        let object = if event.thin { Ok(None) } else { read_object(&event.object) };
        match object.unwrap_or_else(|why| panic!("{}: {why}", path.display())) {
            Some(id) => assert_eq!(event.object["id"], id.as_str(), "{}", path.display()),
            None => println!("not read further: {} ({})", path.display(), event.kind),
        }
        read += 1;
    }
    assert!(read >= FEWEST_SAMPLES, "only {read} samples");
}

/// The same happening, rendered before and after 2025-03-31, reads as the same.
#[test]
fn both_shapes_of_a_sample_say_the_same() {
    let Some(folder) = samples_folder() else { return };
    let mut files = Vec::new();
    files_under(&folder.join("events/synth/acacia"), &mut files);
    let mut compared = 0;
    for path in files.iter().filter(|path| path.extension().is_some_and(|extension| extension == "json")) {
        let newer = folder.join("events/synth/dahlia").join(path.file_name().unwrap());
        let [old, new] = [path, &newer].map(|path| fs::read(path).map(|body| EventEnvelope::parse(&body).unwrap()));
        let (Ok(old), Ok(new)) = (old, new) else {
            continue;
        };
        match old.object["object"].as_str().unwrap() {
            "invoice" => {
                let facts = |event: &EventEnvelope| {
                    let invoice = Invoice::read(&event.object).unwrap();
                    let lines: Vec<_> = invoice.lines.rows.into_iter().map(line_facts).collect();
                    (
                        invoice.status,
                        invoice.subscription,
                        invoice.subscription_metadata,
                        invoice.paid_out_of_band,
                        lines,
                    )
                };
                assert_eq!(facts(&old), facts(&new), "{}", path.display());
            }
            "subscription" => {
                let facts = |event: &EventEnvelope| {
                    let subscription = Subscription::read(&event.object).unwrap();
                    let known = |_: &str| true;
                    (subscription.period_start(known), subscription.period_end(known), subscription.ends_at(known))
                };
                assert_eq!(facts(&old), facts(&new), "{}", path.display());
                assert!(facts(&new).1.is_some(), "{}", path.display());
            }
            _ => continue,
        }
        compared += 1;
    }
    assert!(compared >= 20, "only {compared} pairs");
}

fn line_facts(line: till::stripe::InvoiceLine) -> impl PartialEq + std::fmt::Debug {
    assert!(line.price.is_some());
    (line.price, line.quantity, line.amount, line.proration, line.subscription, line.period_end)
}

/// Every parameter that is sent is one that Stripe's OpenAPI description knows.
#[test]
fn every_parameter_sent_is_in_stripes_description() {
    let Some(folder) = samples_folder() else { return };
    let file = fs::File::open(folder.join("openapi.json.gz")).unwrap();
    let description: Value = serde_json::from_reader(flate2::read::GzDecoder::new(file)).unwrap();
    let metadata = || vec![("user_id".to_owned(), "alice".to_owned())];
    let checkout = |mode| CheckoutRequest {
        mode,
        price: "price_1".to_owned(),
        quantity: 1,
        customer: Some("cus_1".to_owned()),
        client_reference_id: Some("ord_1".to_owned()),
        metadata: metadata(),
        description: Some("Fox Pictures: 100 pictures".to_owned()),
        success_url: "https://example.org/".to_owned(),
        cancel_url: "https://example.org/".to_owned(),
        expires_at: Some(till::clock::Timestamp::from_seconds(1_790_000_000)),
        allow_promotion_codes: true,
        terms: CheckoutTerms { invoices: true, tax_ids: true, automatic_tax: true, billing_address: true },
    };
    let customer =
        CustomerRequest { email: Some("a@b.c".to_owned()), name: Some("A".to_owned()), metadata: metadata() };
    let portal = PortalRequest {
        customer: "cus_1".to_owned(),
        return_url: "https://example.org/".to_owned(),
        configuration: Some("bpc_1".to_owned()),
    };
    for (path, body) in [
        ("/v1/checkout/sessions", checkout(CheckoutMode::Payment).body()),
        ("/v1/checkout/sessions", checkout(CheckoutMode::Subscription).body()),
        ("/v1/customers", customer.body()),
        ("/v1/billing_portal/sessions", portal.body()),
    ] {
        let schema = &description["paths"][path]["post"]["requestBody"]["content"]["application/x-www-form-urlencoded"];
        for (name, _) in form_urlencoded::parse(body.as_bytes()) {
            assert!(knows(&schema["schema"], &name), "POST {path} takes no {name}");
        }
    }
}

/// Walks `a[0][b]` down a schema: properties, list items, free keys, or any of several schemas.
fn knows(schema: &Value, name: &str) -> bool {
    let Some((first, rest)) = name.split_once('[').map(|(first, rest)| (first, Some(rest))).or(Some((name, None)))
    else {
        return false;
    };
    let first = first.trim_end_matches(']');
    let choices = schema["anyOf"].as_array();
    let inner = [&schema["properties"][first], &schema["items"], &schema["additionalProperties"]];
    let found = inner.into_iter().find(|inner| !inner.is_null());
    match (choices, found, rest) {
        (Some(choices), _, _) => choices.iter().any(|choice| knows(choice, name)),
        (None, Some(inner), Some(rest)) => knows(inner, rest),
        (None, Some(_), None) => true,
        (None, None, _) => false,
    }
}

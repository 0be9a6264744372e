//! What `till check` says of a key, a clock, a webhook endpoint and a way to it that are not as they should be: each by
//! its name, with what to do.

use serde_json::Value;
use till::clock::Clock;
use till::sandbox::{self, Endpoint, Options};
use till::secret::Secret;

use crate::harness::{Client, Folder, canned, process, shop};

/// Somebody who answers everything so.
fn answering(head: &'static str, body: &str) -> String {
    canned::start(vec![("/", head, body.to_owned())])
}

/// What is found of `what`, with this Stripe and this public URL: whether it is good, and the words.
fn found(stripe: &str, base_url: &str, what: &str) -> (bool, String) {
    let folder = Folder::new();
    let mut variables = shop::variables(&folder, stripe);
    variables.insert("SPRITE_BASE_URL".to_owned(), base_url.to_owned());
    let output = process::run(&variables, &["check", "--json"]);
    assert_eq!(output.status.code(), Some(1), "something falls short in each of these");
    let rows: Value = serde_json::from_slice(&output.stdout).unwrap();
    let row = rows["data"].as_array().unwrap().iter().find(|row| row["what"] == what);
    let row = row.unwrap_or_else(|| panic!("no {what:?} in {rows}"));
    (row["is_good"].as_bool().unwrap(), row["detail"].as_str().unwrap().to_owned())
}

#[test]
fn a_key_and_a_clock_that_are_not_right_are_named() {
    let lacks = r#"{"error": {"message": "Having the 'rak_price_read' permission would allow this request."}}"#;
    let empty = r#"{"object": "list", "data": [], "has_more": false}"#;
    for (head, body, what, words) in [
        ("403 Forbidden", lacks, "Stripe key", "lacks a permission: rak_price_read"),
        ("401 Unauthorized", "{}", "Stripe key", "is refused by Stripe"),
        ("200 OK\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT", empty, "clock", "webhooks will be refused; set up NTP"),
    ] {
        let (is_good, detail) = found(&answering(head, body), "http://127.0.0.1:9", what);
        assert!(!is_good && detail.contains(words), "{head}: {what}: {detail}");
    }
}

#[test]
fn an_endpoint_that_is_off_and_a_way_that_leads_elsewhere_are_named() {
    let moved = answering("308 Permanent Redirect\r\nLocation: https://www.example.org/billing/webhook", "");
    let other = answering("404 Not Found", "");
    for (base_url, words) in [
        (&moved, "redirects to https://www.example.org/billing/webhook: Stripe counts that as a failure"),
        (&other, "answers 404, 400 was expected: is till behind it?"),
    ] {
        let listen = "127.0.0.1:0".parse().unwrap();
        let endpoint = Endpoint { url: format!("{base_url}/billing/webhook"), secret: Secret::new("whsec_check") };
        let options =
            Options { listen, public_url: None, endpoint: Some(endpoint), prices: vec![], clock: Clock::System };
        let stripe = sandbox::start(options).unwrap();
        let (is_good, detail) = found(&stripe.url(), base_url, "public URL");
        assert!(!is_good && detail.contains(words), "{detail}");

        let enabled = found(&stripe.url(), base_url, "webhook endpoint");
        assert!(enabled.0, "{}", enabled.1);
        let api = Client::new(&stripe.url(), &[("authorization", "Bearer sk_test_stories")]);
        let listed = api.get("/v1/webhook_endpoints").must(200).json();
        let path = format!("/v1/webhook_endpoints/{}", listed["data"][0]["id"].as_str().unwrap());
        api.post_form(&path, &[("disabled", "true")]).must(200);
        let (is_good, detail) = found(&stripe.url(), base_url, "webhook endpoint");
        assert!(!is_good && detail.contains("is disabled at Stripe: enable it there"), "{detail}");
    }
}

//! What the commands say after a comparison.

use serde_json::Value;

use crate::harness::Shop;

/// What `till reconcile --json` finds, and whether it ends with success.
pub fn compare(shop: &Shop) -> (Value, bool) {
    let output = shop.till(&["reconcile", "--json"]);
    let report = serde_json::from_slice(&output.stdout);
    let report = report.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    (report, output.status.success())
}

/// What `till check` finds of one thing: whether it is good, and the words.
pub fn check_says(shop: &Shop, what: &str) -> (bool, String) {
    let rows: Value = serde_json::from_slice(&shop.till(&["check", "--json"]).stdout).unwrap();
    let row = rows["data"].as_array().unwrap().iter().find(|row| row["what"] == what).cloned();
    let row = row.unwrap_or_else(|| panic!("no {what} in {rows}"));
    (row["is_good"] == true, row["detail"].as_str().unwrap().to_owned())
}

#[test]
fn what_stripe_refuses_is_told_to_the_operator_in_the_operators_words() {
    let shop = Shop::open_with(&[("SPRITE_RECONCILE_INTERVAL", "off")]);
    shop.user("alice");
    let customer = {
        let (session, _) = shop.checkout("alice", "topup_100");
        shop.ask_stripe("GET", &format!("/v1/checkout/sessions/{session}"))["customer"].as_str().unwrap().to_owned()
    };
    let link = ["user", "link", "alice", customer.as_str()];
    for (path, command) in [("/v1/events", &["reconcile"][..]), ("/v1/customers/", &link), ("/v1/invoices", &link)] {
        for (status, words) in
            [("400", "Stripe answered 400"), ("401", "SPRITE_STRIPE_SECRET_KEY is refused by Stripe")]
        {
            let kind = format!("status:{status}");
            let fault = [("path", path), ("method", "GET"), ("kind", kind.as_str()), ("times", "1")];
            shop.stripe_control("faults", &fault);
            let output = shop.till(command);
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1), "{path} {status}: {said}");
            assert!(said.contains(words) && !said.contains("ell the operator"), "{path} {status}: {said}");
        }
    }
}

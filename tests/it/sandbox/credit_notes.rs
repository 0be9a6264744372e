//! Credit notes: they lower an open invoice, and a paid one gives money back.

use serde_json::{Value, json};

use super::fixture::Fixture;

/// A new subscription and its first invoice.
fn subscribe(fixture: &Fixture) -> (String, String) {
    let plan = fixture.subscribe("4242424242424242", "");
    (plan["id"].as_str().expect("an id").to_owned(), plan["latest_invoice"].as_str().expect("an id").to_owned())
}

fn note(fixture: &Fixture, invoice: &str, form: &str) -> Value {
    fixture.ok("POST", "/v1/credit_notes", &format!("invoice={invoice}&{form}"))
}

#[test]
fn a_paid_invoice_is_credited_by_refund_by_balance_or_outside_stripe() {
    let fixture = Fixture::new();
    let (_, invoice) = subscribe(&fixture);
    let path = format!("/v1/invoices/{invoice}");
    for (form, code) in [
        ("amount=901&credit_amount=901", "The credit note's amount ($9.01)"),
        ("amount=0", "The credit note's amount ($0.00)"),
        ("amount=300&credit_amount=200", "The sum of `refund_amount`"),
        ("amount=300&credit_amount=600&refund_amount=-300", "The sum of `refund_amount`"),
        ("amount=300&lines[0][type]=custom_line_item&lines[0][amount]=200", "The sum of `lines` (200)"),
        ("amount=300&shipping_cost[shipping_rate]=shr_1", "stand_in_not_built"),
    ] {
        let refused = fixture.error("POST", "/v1/credit_notes", &format!("invoice={invoice}&{form}"));
        assert!(refused.0 == 400 && refused.1.starts_with(code), "{form}: {refused:?}");
    }
    let divided =
        note(&fixture, &invoice, "amount=600&refund_amount=300&credit_amount=200&out_of_band_amount=100&memo=m");
    assert_eq!((&divided["type"], &divided["post_payment_amount"]), (&json!("post_payment"), &json!(600)));
    assert_eq!(divided["refunds"][0]["amount_refunded"], 300);
    let shown = fixture.ok(
        "GET",
        &format!("/v1/credit_notes/{}", divided["id"].as_str().expect("an id")),
        "expand[]=customer_balance_transaction&expand[]=invoice&expand[]=refunds.refund",
    );
    assert_eq!(shown["customer_balance_transaction"]["amount"], -200);
    assert_eq!(
        (&shown["invoice"]["post_payment_credit_notes_amount"], &shown["invoice"]["status"]),
        (&json!(600), &json!("paid"))
    );
    assert_eq!(
        (&shown["refunds"][0]["refund"]["status"], &shown["number"]),
        (&json!("succeeded"), &json!(format!("{}-CN-01", fixture.get(&path)["number"].as_str().expect("a number"))))
    );
    let customer = shown["customer"].as_str().expect("an id");
    assert_eq!(fixture.get(&format!("/v1/customers/{customer}"))["balance"], -200);
    note(&fixture, &invoice, "amount=300&out_of_band_amount=300");
    assert_eq!(
        fixture.error("POST", "/v1/credit_notes", &format!("invoice={invoice}&amount=1&credit_amount=1")).0,
        400
    );
    let listed = fixture.ok("GET", "/v1/credit_notes", &format!("invoice={invoice}"));
    assert_eq!(listed["data"].as_array().map(Vec::len), Some(2));
    let void = format!("/v1/credit_notes/{}/void", listed["data"][0]["id"].as_str().expect("an id"));
    assert_eq!(fixture.error("POST", &void, "").0, 400, "the money is back already");
    fixture.ok("POST", void.trim_end_matches("/void"), "memo=other&metadata[a]=b");
    assert_eq!(
        fixture.event_types("credit_note."),
        ["credit_note.created", "credit_note.created", "credit_note.updated"]
    );
    assert_eq!(fixture.event_types("refund."), ["refund.created"]);
}

#[test]
fn an_open_invoice_is_lowered_and_is_paid_when_nothing_is_left() {
    let fixture = Fixture::new();
    let customer = fixture.customer("pm_card_visa", None);
    let open = || {
        fixture.ok("POST", "/v1/invoiceitems", &format!("customer={customer}&pricing[price]=price_month"));
        let form = format!("customer={customer}&pending_invoice_items_behavior=include");
        let id = fixture.ok("POST", "/v1/invoices", &form)["id"].as_str().expect("an id").to_owned();
        fixture.ok("POST", &format!("/v1/invoices/{id}/finalize"), "");
        id
    };
    let invoice = open();
    let path = format!("/v1/invoices/{invoice}");
    let lowered = note(&fixture, &invoice, "amount=300");
    assert_eq!((&lowered["type"], &lowered["pre_payment_amount"]), (&json!("pre_payment"), &json!(300)));
    assert_eq!(fixture.get(&path)["amount_due"], 600);
    let id = lowered["id"].as_str().expect("an id");
    assert_eq!(fixture.ok("POST", &format!("/v1/credit_notes/{id}/void"), "")["status"], "void");
    assert_eq!(fixture.get(&path)["amount_due"], 900);
    note(&fixture, &invoice, "amount=200");
    let paid = fixture.ok("POST", &format!("{path}/pay"), "");
    assert_eq!((&paid["status"], &paid["amount_paid"], &paid["total"]), (&json!("paid"), &json!(700), &json!(900)));
    let charged = fixture.get("/v1/charges?limit=1");
    assert_eq!(charged["data"][0]["amount"], 700);

    let written_off = open();
    note(&fixture, &written_off, "amount=900");
    let paid = fixture.get(&format!("/v1/invoices/{written_off}"));
    assert_eq!((&paid["status"], &paid["amount_paid"]), (&json!("paid"), &json!(0)));
    assert_eq!(fixture.event_types("credit_note.voided").len(), 1);
}

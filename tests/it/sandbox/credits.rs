//! Credit notes: what an open invoice is lowered by, and what a paid one gives back.

use serde_json::{Value, json};

use super::world::World;

/// A subscriber: the subscription's id, and the invoice that began it.
fn subscribed(world: &World) -> (String, String) {
    let plan = world.subscribed("4242424242424242", "");
    (plan["id"].as_str().expect("an id").to_owned(), plan["latest_invoice"].as_str().expect("an id").to_owned())
}

fn note(world: &World, invoice: &str, form: &str) -> Value {
    world.ok("POST", "/v1/credit_notes", &format!("invoice={invoice}&{form}"))
}

#[test]
fn a_paid_invoice_gives_back_by_refund_to_the_balance_or_outside() {
    let world = World::new();
    let (_, invoice) = subscribed(&world);
    let path = format!("/v1/invoices/{invoice}");
    for (form, code) in [
        ("amount=901&credit_amount=901", "The credit note's amount ($9.01)"),
        ("amount=0", "The credit note's amount ($0.00)"),
        ("amount=300&credit_amount=200", "The sum of `refund_amount`"),
        ("amount=300&credit_amount=600&refund_amount=-300", "The sum of `refund_amount`"),
        ("amount=300&lines[0][type]=custom_line_item", "stand_in_not_built"),
    ] {
        let refused = world.refused("POST", "/v1/credit_notes", &format!("invoice={invoice}&{form}"));
        assert!(refused.0 == 400 && refused.1.starts_with(code), "{form}: {refused:?}");
    }
    let divided =
        note(&world, &invoice, "amount=600&refund_amount=300&credit_amount=200&out_of_band_amount=100&memo=m");
    assert_eq!((&divided["type"], &divided["post_payment_amount"]), (&json!("post_payment"), &json!(600)));
    assert_eq!(divided["refunds"][0]["amount_refunded"], 300);
    let shown = world.ok(
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
        (&json!("succeeded"), &json!(format!("{}-CN-01", world.get(&path)["number"].as_str().expect("a number"))))
    );
    let customer = shown["customer"].as_str().expect("an id");
    assert_eq!(world.get(&format!("/v1/customers/{customer}"))["balance"], -200);
    note(&world, &invoice, "amount=300&out_of_band_amount=300");
    assert_eq!(
        world.refused("POST", "/v1/credit_notes", &format!("invoice={invoice}&amount=1&credit_amount=1")).0,
        400
    );
    let listed = world.ok("GET", "/v1/credit_notes", &format!("invoice={invoice}"));
    assert_eq!(listed["data"].as_array().map(Vec::len), Some(2));
    let void = format!("/v1/credit_notes/{}/void", listed["data"][0]["id"].as_str().expect("an id"));
    assert_eq!(world.refused("POST", &void, "").0, 400, "the money is back already");
    world.ok("POST", void.trim_end_matches("/void"), "memo=other&metadata[a]=b");
    assert_eq!(world.told("credit_note."), ["credit_note.created", "credit_note.created", "credit_note.updated"]);
    assert_eq!(world.told("refund."), ["refund.created"]);
}

#[test]
fn an_open_invoice_is_lowered_and_with_nothing_left_it_is_paid() {
    let world = World::new();
    let customer = world.customer("pm_card_visa", None);
    let open = || {
        world.ok("POST", "/v1/invoiceitems", &format!("customer={customer}&pricing[price]=price_month"));
        let form = format!("customer={customer}&pending_invoice_items_behavior=include");
        let id = world.ok("POST", "/v1/invoices", &form)["id"].as_str().expect("an id").to_owned();
        world.ok("POST", &format!("/v1/invoices/{id}/finalize"), "");
        id
    };
    let invoice = open();
    let path = format!("/v1/invoices/{invoice}");
    let lowered = note(&world, &invoice, "amount=300");
    assert_eq!((&lowered["type"], &lowered["pre_payment_amount"]), (&json!("pre_payment"), &json!(300)));
    assert_eq!(world.get(&path)["amount_due"], 600);
    let id = lowered["id"].as_str().expect("an id");
    assert_eq!(world.ok("POST", &format!("/v1/credit_notes/{id}/void"), "")["status"], "void");
    assert_eq!(world.get(&path)["amount_due"], 900);
    note(&world, &invoice, "amount=200");
    let paid = world.ok("POST", &format!("{path}/pay"), "");
    assert_eq!((&paid["status"], &paid["amount_paid"], &paid["total"]), (&json!("paid"), &json!(700), &json!(900)));
    let charged = world.get("/v1/charges?limit=1");
    assert_eq!(charged["data"][0]["amount"], 700);

    let written_off = open();
    note(&world, &written_off, "amount=900");
    let paid = world.get(&format!("/v1/invoices/{written_off}"));
    assert_eq!((&paid["status"], &paid["amount_paid"]), (&json!("paid"), &json!(0)));
    assert_eq!(world.told("credit_note.voided").len(), 1);
}

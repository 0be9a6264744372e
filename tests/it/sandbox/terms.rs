//! What a checkout asks for beside the money: invoices, tax, tax ids, addresses and quantities.

use serde_json::{Value, json};

use super::fixture::{BUY, Fixture, id};

const TERMS: &str = "&invoice_creation[enabled]=true&invoice_creation[invoice_data][metadata][user_id]=alice\
                     &automatic_tax[enabled]=true&tax_id_collection[enabled]=true&billing_address_collection=required";

#[test]
fn a_payment_with_an_invoice_is_told_by_session_invoice_and_what_ties_them() {
    let fixture = Fixture::new();
    let session = fixture.new_session("&invoice_creation[enabled]=true&invoice_creation[invoice_data][metadata][a]=b");
    assert_eq!(fixture.session(&session)["invoice"], Value::Null);
    assert_eq!(fixture.pay(&session, "card=4242424242424242&email=a@example.org").status, 303);
    let paid = fixture.session(&session);
    let invoice = fixture.ok(
        "GET",
        &format!("/v1/invoices/{}", paid["invoice"].as_str().expect("an invoice")),
        "expand[]=payments",
    );
    let words = ["status", "billing_reason", "total", "amount_paid", "customer", "metadata"].map(|name| &invoice[name]);
    let expected =
        [&json!("paid"), &json!("manual"), &json!(1800), &json!(1800), &paid["customer"], &json!({ "a": "b" })];
    assert_eq!(words, expected);
    assert!(paid["customer"].is_string(), "an invoice needs a customer");
    assert_eq!(invoice["payments"]["data"][0]["payment"]["payment_intent"], paid["payment_intent"]);
    let line = &invoice["lines"]["data"][0];
    assert_eq!((&line["pricing"]["price_details"]["price"], &line["quantity"]), (&json!("price_100"), &json!(2)));
    let types = fixture.event_types("");
    for kind in ["invoice.paid", "invoice.payment_succeeded", "invoice_payment.paid", "checkout.session.completed"] {
        assert_eq!(types.iter().filter(|own| *own == kind).count(), 1, "{kind}");
    }

    // A slow payment has its invoice when it arrives, and what costs nothing has one of nothing.
    let slow = fixture.new_session("&invoice_creation[enabled]=true");
    assert_eq!(fixture.pay(&slow, "method=bank_debit").status, 303);
    assert_eq!(fixture.session(&slow)["invoice"], Value::Null);
    fixture.control(&format!("sessions/{slow}/settle"), "");
    assert!(fixture.session(&slow)["invoice"].is_string());
    let free = fixture.new_session("&invoice_creation[enabled]=true");
    assert_eq!(fixture.pay(&free, "promotion_code=FREE100").status, 303);
    let invoice = fixture.get(&format!("/v1/invoices/{}", fixture.session(&free)["invoice"].as_str().expect("one")));
    assert_eq!(
        (&invoice["status"], &invoice["total"], &invoice["subtotal"]),
        (&json!("paid"), &json!(0), &json!(1800))
    );
}

#[test]
fn tax_is_computed_for_an_address_and_is_on_the_invoice() {
    let fixture = Fixture::new();
    for (behavior, total, tax) in [("exclusive", 2142, 342), ("inclusive", 1800, 287)] {
        let form = format!("currency=usd&unit_amount=900&product_data[name]=100 pictures&tax_behavior={behavior}");
        let price = id(&fixture.ok("POST", "/v1/prices", &form));
        let customer = id(&fixture.ok("POST", "/v1/customers", "email=a@example.org"));
        let form = format!(
            "{}&customer={customer}&customer_update[name]=auto&customer_update[address]=auto{TERMS}",
            BUY.replace("price_100", &price)
        );
        let session = id(&fixture.ok("POST", "/v1/checkout/sessions", &form));
        let shown = fixture.session(&session);
        assert_eq!(
            (&shown["amount_total"], &shown["automatic_tax"]["status"]),
            (&json!(1800), &json!("requires_location_inputs"))
        );
        assert!(!fixture.page("GET", &format!("/c/pay/{session}"), "").text.contains("VAT, 19"));
        let page = fixture.pay(&session, "action=apply&country=FR&line1=Rue+1&postal_code=75001&city=Paris");
        assert!(page.status == 200 && page.text.contains("VAT, 19"), "{}", page.text);
        let refused = fixture.pay(&session, "card=4242424242424242&country=");
        assert!(refused.status == 400 && refused.text.contains("Enter your address"), "{}", refused.text);
        let form = "card=4242424242424242&country=fr&city=Paris&business_name=ACME&tax_id=FR12345678901";
        assert_eq!(fixture.pay(&session, form).status, 303);
        let paid = fixture.session(&session);
        assert_eq!((&paid["amount_total"], &paid["total_details"]["amount_tax"]), (&json!(total), &json!(tax)));
        assert_eq!(paid["amount_subtotal"], 1800);
        assert_eq!(paid["customer_details"]["address"]["country"], "FR");
        let invoice = fixture.get(&format!("/v1/invoices/{}", paid["invoice"].as_str().expect("an invoice")));
        let sums = ["total", "total_excluding_tax", "amount_paid"].map(|name| invoice[name].as_i64().expect("a sum"));
        assert_eq!(sums, [total, total - tax, total], "{behavior}");
        assert_eq!(invoice["total_taxes"][0]["amount"], tax);
        assert_eq!(invoice["lines"]["data"][0]["amount"], 1800);
        assert_eq!(invoice["customer_tax_ids"], json!([{ "type": "eu_vat", "value": "FR12345678901" }]));
        let customer = fixture.get(&format!("/v1/customers/{customer}"));
        assert_eq!((&customer["name"], &customer["address"]["city"]), (&json!("ACME"), &json!("Paris")));
    }
    // A plan's renewals are taxed by the address that was kept.
    let plan = fixture.subscribe("4242424242424242", "&automatic_tax[enabled]=true");
    fixture.control("clock/advance", "by=month");
    let invoices = fixture.invoices(&id(&plan));
    assert_eq!(invoices, ["subscription_create paid 1071 1071 1071", "subscription_cycle paid 1071 1071 1071"]);
    fixture.event_types("");
}

#[test]
fn what_stripe_takes_for_a_known_customer_only_with_leave_to_write_is_refused_without() {
    let fixture = Fixture::new();
    let customer = id(&fixture.ok("POST", "/v1/customers", "email=a@example.org"));
    let with = |more: &str| format!("{BUY}&customer={customer}{more}");
    let sessions = "/v1/checkout/sessions";
    for (form, expected) in [
        (with("&tax_id_collection[enabled]=true"), "Tax ID collection requires updating business name"),
        (with("&automatic_tax[enabled]=true"), "Automatic tax calculation in Checkout requires a valid address"),
        (format!("{BUY}&customer_update[name]=auto"), "`customer_update` can only be used with `customer`"),
        (
            "mode=subscription&line_items[0][price]=price_month&line_items[0][quantity]=1&success_url=https://shop.test/\
             &invoice_creation[enabled]=true"
                .to_owned(),
            "You can not pass `invoice_creation` in `subscription` mode",
        ),
    ] {
        let (status, message) = fixture.error("POST", sessions, &form);
        assert!(status == 400 && message.contains(expected), "{form}: {message}");
    }
    let address = "address[country]=DE&address[city]=Berlin";
    fixture.ok("POST", &format!("/v1/customers/{customer}"), address);
    let session = fixture.ok("POST", sessions, &with("&automatic_tax[enabled]=true"));
    assert_eq!((&session["amount_total"], &session["automatic_tax"]["status"]), (&json!(2142), &json!("complete")));
    let path = format!("/v1/customers/{customer}/tax_ids");
    let tax_id = id(&fixture.ok("POST", &path, "type=eu_vat&value=DE123456789"));
    assert_eq!(fixture.get(&path)["data"][0]["id"], tax_id.as_str());
}

#[test]
fn a_buyer_changes_an_adjustable_quantity_within_its_bounds() {
    let fixture = Fixture::new();
    let fixed = fixture.new_session("");
    assert_eq!(fixture.pay(&fixed, "quantity=3&card=4242424242424242").status, 400);
    let adjustable = "&line_items[0][adjustable_quantity][enabled]=true&line_items[0][adjustable_quantity][maximum]=5";
    let session = fixture.new_session(adjustable);
    for quantity in ["0", "6", "-1"] {
        assert_eq!(fixture.pay(&session, &format!("quantity={quantity}&card=4242424242424242")).status, 400);
    }
    assert!(fixture.pay(&session, "action=apply&quantity=5").text.contains("$45.00"));
    assert_eq!(fixture.pay(&session, "quantity=3&card=4242424242424242").status, 303);
    assert_eq!(fixture.session(&session)["amount_total"], 2700);
    let items = fixture.get(&format!("/v1/checkout/sessions/{session}/line_items"));
    assert_eq!(
        (&items["data"][0]["quantity"], &items["data"][0]["adjustable_quantity"]["maximum"]),
        (&json!(3), &json!(5))
    );
}

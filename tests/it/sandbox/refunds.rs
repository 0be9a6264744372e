//! Refunds: made, pending, failed.

use serde_json::{Value, json};

use super::fixture::{Fixture, charge, id};

fn refunded(fixture: &Fixture, intent: &str) -> (Value, Value) {
    let charge = charge(fixture, intent);
    (charge["amount_refunded"].clone(), charge["refunded"].clone())
}

#[test]
fn refunds_add_up_and_never_exceed_what_was_paid() {
    let fixture = Fixture::new();
    let intent = fixture.pay_new_session("card=4242424242424242");
    let refunds = "/v1/refunds";
    let first =
        fixture.ok("POST", refunds, &format!("payment_intent={intent}&amount=500&metadata[a]=b&reason=duplicate"));
    assert_eq!(
        (&first["status"], &first["amount"], &first["reason"]),
        (&json!("succeeded"), &json!(500), &json!("duplicate"))
    );
    let charge_id = id(&charge(&fixture, &intent));
    let second = id(&fixture.ok("POST", refunds, &format!("charge={charge_id}&amount=300")));
    assert_eq!(refunded(&fixture, &intent), (json!(800), json!(false)));
    let over = fixture.call("POST", refunds, &format!("payment_intent={intent}&amount=1001"), None).json();
    assert_eq!(over["error"]["message"], "Refund amount ($10.01) is greater than unrefunded amount on charge ($10.00)");
    fixture.ok("POST", refunds, &format!("payment_intent={intent}"));
    assert_eq!(refunded(&fixture, &intent), (json!(1800), json!(true)));
    for (form, status, code) in [
        (format!("payment_intent={intent}"), 400, "charge_already_refunded"),
        ("payment_intent=pi_no".to_owned(), 404, "resource_missing"),
        (String::new(), 400, "One of the following params should be provided"),
        (format!("charge={charge_id}&amount=0"), 400, "charge_already_refunded"),
        (format!("charge={charge_id}&reason=bored"), 400, "Invalid reason"),
    ] {
        let refused = fixture.error("POST", refunds, &form);
        assert!(refused.0 == status && refused.1.starts_with(code), "{form}: {refused:?}");
    }

    fixture.control(&format!("refunds/{second}/fail"), "");
    assert_eq!(refunded(&fixture, &intent), (json!(1500), json!(false)));
    assert_eq!(fixture.page("POST", &format!("/control/refunds/{second}/fail"), "").status, 400, "only once");
    let failed = fixture.get(&format!("/v1/refunds/{second}"));
    assert_eq!((&failed["status"], failed["failure_reason"].is_string()), (&json!("failed"), true));
    assert_eq!(fixture.error("POST", &format!("/v1/refunds/{second}/cancel"), "").0, 400);
    fixture.ok("POST", &format!("/v1/refunds/{}", id(&first)), "metadata[a]=c");

    let count = |form: &str| fixture.ok("GET", refunds, form)["data"].as_array().expect("a list").len();
    assert_eq!(count(&format!("payment_intent={intent}")), 3);
    assert_eq!((count(&format!("charge={charge_id}&limit=2")), count("created[gt]=1790000000")), (2, 0));
    assert_eq!(fixture.get(&format!("/v1/charges/{charge_id}/refunds"))["data"][2]["id"], first["id"]);
    let types: Vec<String> = fixture.event_types("").into_iter().filter(|kind| kind.contains("refund")).collect();
    let expected = "refund.created charge.refunded refund.created charge.refunded refund.created charge.refunded \
                    refund.failed refund.updated charge.refund.updated refund.updated";
    assert_eq!(types.join(" "), expected);
    let amounts: Vec<Value> = fixture
        .receiver
        .wait_for("charge.refunded", 3)
        .iter()
        .map(|webhook| webhook.event()["data"]["object"]["amount_refunded"].clone())
        .collect();
    assert!([500, 800, 1800].iter().all(|amount| amounts.contains(&json!(amount))), "{amounts:?}");
}

#[test]
fn refunds_can_be_pending_and_fail_later() {
    let fixture = Fixture::new();
    let by_debit = fixture.new_session("");
    fixture.pay(&by_debit, "method=bank_debit");
    let intent = fixture.session(&by_debit)["payment_intent"].as_str().expect("an id").to_owned();
    assert_eq!(
        fixture.error("POST", "/v1/refunds", &format!("payment_intent={intent}")).1,
        "payment_intent_unexpected_state"
    );
    fixture.control(&format!("sessions/{by_debit}/settle"), "");
    let pending = fixture.ok("POST", "/v1/refunds", &format!("payment_intent={intent}&amount=1000"));
    assert_eq!((&pending["status"], &pending["pending_reason"]), (&json!("pending"), &json!("processing")));
    assert_eq!(refunded(&fixture, &intent).0, 0);
    assert_eq!(
        fixture.error("POST", "/v1/refunds", &format!("payment_intent={intent}&amount=900")).0,
        400,
        "set aside"
    );
    fixture.control(&format!("refunds/{}/settle", id(&pending)), "");
    assert_eq!(refunded(&fixture, &intent).0, 1000);

    let second = id(&fixture.ok("POST", "/v1/refunds", &format!("payment_intent={intent}")));
    fixture.control(&format!("refunds/{second}/require-action"), "");
    assert_eq!(fixture.ok("POST", &format!("/v1/refunds/{second}/cancel"), "")["status"], "canceled");
    assert_eq!(refunded(&fixture, &intent).0, 1000);

    let failing = fixture.pay_new_session("card=4000000000005126");
    let refund = fixture.ok("POST", "/v1/refunds", &format!("payment_intent={failing}"));
    assert_eq!(refund["status"], "succeeded");
    assert_eq!(fixture.get(&format!("/v1/refunds/{}", id(&refund)))["status"], "failed");
    assert_eq!(refunded(&fixture, &failing), (json!(0), json!(false)));
    fixture.event_types("");
}

//! Refunds and disputes: money that goes back, or nearly does.

use serde_json::{Value, json};

use super::world::World;

fn id(object: &Value) -> String {
    object["id"].as_str().expect("an id").to_owned()
}

fn charge(world: &World, intent: &str) -> Value {
    world.ok("GET", &format!("/v1/payment_intents/{intent}"), "expand[]=latest_charge")["latest_charge"].clone()
}

fn refunded(world: &World, intent: &str) -> (Value, Value) {
    let charge = charge(world, intent);
    (charge["amount_refunded"].clone(), charge["refunded"].clone())
}

#[test]
fn refunds_add_up_and_never_beyond_what_was_paid() {
    let world = World::new();
    let intent = world.bought("card=4242424242424242");
    let refunds = "/v1/refunds";
    let first =
        world.ok("POST", refunds, &format!("payment_intent={intent}&amount=500&metadata[a]=b&reason=duplicate"));
    assert_eq!(
        (&first["status"], &first["amount"], &first["reason"]),
        (&json!("succeeded"), &json!(500), &json!("duplicate"))
    );
    let charge_id = id(&charge(&world, &intent));
    let second = id(&world.ok("POST", refunds, &format!("charge={charge_id}&amount=300")));
    assert_eq!(refunded(&world, &intent), (json!(800), json!(false)));
    let over = world.call("POST", refunds, &format!("payment_intent={intent}&amount=1001"), None).json();
    assert_eq!(over["error"]["message"], "Refund amount ($10.01) is greater than unrefunded amount on charge ($10.00)");
    world.ok("POST", refunds, &format!("payment_intent={intent}"));
    assert_eq!(refunded(&world, &intent), (json!(1800), json!(true)));
    for (form, status, code) in [
        (format!("payment_intent={intent}"), 400, "charge_already_refunded"),
        ("payment_intent=pi_no".to_owned(), 404, "resource_missing"),
        (String::new(), 400, "One of the following params should be provided"),
        (format!("charge={charge_id}&amount=0"), 400, "charge_already_refunded"),
        (format!("charge={charge_id}&reason=bored"), 400, "Invalid reason"),
    ] {
        let refused = world.refused("POST", refunds, &form);
        assert!(refused.0 == status && refused.1.starts_with(code), "{form}: {refused:?}");
    }

    world.press(&format!("refunds/{second}/fail"), "");
    assert_eq!(refunded(&world, &intent), (json!(1500), json!(false)));
    assert_eq!(world.page("POST", &format!("/control/refunds/{second}/fail"), "").status, 400, "only once");
    let failed = world.get(&format!("/v1/refunds/{second}"));
    assert_eq!((&failed["status"], failed["failure_reason"].is_string()), (&json!("failed"), true));
    assert_eq!(world.refused("POST", &format!("/v1/refunds/{second}/cancel"), "").0, 400);
    world.ok("POST", &format!("/v1/refunds/{}", id(&first)), "metadata[a]=c");

    let count = |form: &str| world.ok("GET", refunds, form)["data"].as_array().expect("a list").len();
    assert_eq!(count(&format!("payment_intent={intent}")), 3);
    assert_eq!((count(&format!("charge={charge_id}&limit=2")), count("created[gt]=1790000000")), (2, 0));
    assert_eq!(world.get(&format!("/v1/charges/{charge_id}/refunds"))["data"][2]["id"], first["id"]);
    let told: Vec<String> = world.told("").into_iter().filter(|kind| kind.contains("refund")).collect();
    let expected = "refund.created charge.refunded refund.created charge.refunded refund.created charge.refunded \
                    refund.failed refund.updated charge.refund.updated refund.updated";
    assert_eq!(told.join(" "), expected);
    let amounts: Vec<Value> = world
        .receiver
        .wait_for("charge.refunded", 3)
        .iter()
        .map(|letter| letter.event()["data"]["object"]["amount_refunded"].clone())
        .collect();
    assert!([500, 800, 1800].iter().all(|amount| amounts.contains(&json!(amount))), "{amounts:?}");
}

#[test]
fn refunds_can_be_pending_and_fail_later() {
    let world = World::new();
    let by_debit = world.buy("");
    world.pay(&by_debit, "method=bank_debit");
    let intent = world.session(&by_debit)["payment_intent"].as_str().expect("an id").to_owned();
    assert_eq!(
        world.refused("POST", "/v1/refunds", &format!("payment_intent={intent}")).1,
        "payment_intent_unexpected_state"
    );
    world.press(&format!("sessions/{by_debit}/settle"), "");
    let pending = world.ok("POST", "/v1/refunds", &format!("payment_intent={intent}&amount=1000"));
    assert_eq!((&pending["status"], &pending["pending_reason"]), (&json!("pending"), &json!("processing")));
    assert_eq!(refunded(&world, &intent).0, 0);
    assert_eq!(
        world.refused("POST", "/v1/refunds", &format!("payment_intent={intent}&amount=900")).0,
        400,
        "set aside"
    );
    world.press(&format!("refunds/{}/settle", id(&pending)), "");
    assert_eq!(refunded(&world, &intent).0, 1000);

    let second = id(&world.ok("POST", "/v1/refunds", &format!("payment_intent={intent}")));
    world.press(&format!("refunds/{second}/require-action"), "");
    assert_eq!(world.ok("POST", &format!("/v1/refunds/{second}/cancel"), "")["status"], "canceled");
    assert_eq!(refunded(&world, &intent).0, 1000);

    let failing = world.bought("card=4000000000005126");
    let refund = world.ok("POST", "/v1/refunds", &format!("payment_intent={failing}"));
    assert_eq!(refund["status"], "succeeded");
    assert_eq!(world.get(&format!("/v1/refunds/{}", id(&refund)))["status"], "failed");
    assert_eq!(refunded(&world, &failing), (json!(0), json!(false)));
    world.told("");
}

#[test]
fn disputes_move_the_funds_and_inquiries_do_not() {
    let world = World::new();
    let newest = || world.get("/v1/disputes")["data"][0].clone();
    let of = |intent: &str| world.ok("GET", "/v1/disputes", &format!("payment_intent={intent}"))["data"][0].clone();

    let by_card = world.bought("card=4000000000000259");
    let dispute = of(&by_card);
    assert_eq!((&dispute["status"], &dispute["amount"]), (&json!("needs_response"), &json!(1800)));
    assert_eq!(charge(&world, &by_card)["disputed"], true);
    assert_eq!(world.refused("POST", "/v1/refunds", &format!("payment_intent={by_card}")).1, "charge_disputed");
    world.press(&format!("disputes/{}/won", id(&dispute)), "amount=1000");
    let won = newest();
    let moved: Vec<&Value> =
        won["balance_transactions"].as_array().expect("a list").iter().map(|row| &row["amount"]).collect();
    assert_eq!((&won["status"], moved), (&json!("won"), vec![&json!(-1800), &json!(1000)]));
    world.ok("POST", "/v1/refunds", &format!("payment_intent={by_card}&amount=100"));

    let lost = world.bought("card=4242424242424242");
    world.press(&format!("charges/{lost}/dispute"), "");
    world.ok("POST", &format!("/v1/disputes/{}/close", id(&newest())), "");
    assert_eq!(of(&lost)["status"], "lost");
    assert_eq!(world.refused("POST", &format!("/v1/disputes/{}/close", id(&newest())), "").1, "dispute_already_closed");
    assert_eq!(world.page("POST", &format!("/control/charges/{lost}/dispute"), "").status, 409, "only once");

    let answered = world.bought("card=4242424242424242");
    world.press(&format!("charges/{answered}/dispute"), "");
    world.ok("POST", &format!("/v1/disputes/{}", id(&newest())), "evidence[uncategorized_text]=winning_evidence");
    assert_eq!(of(&answered)["status"], "won");

    let asked = world.bought("card=4000000000001976");
    assert_eq!(of(&asked)["status"], "warning_needs_response");
    world.press(&format!("disputes/{}/close", id(&newest())), "");
    assert_eq!(
        (of(&asked)["status"].clone(), of(&asked)["balance_transactions"].clone()),
        (json!("warning_closed"), json!([]))
    );
    let escalated = world.bought("card=4242424242424242");
    world.press(&format!("charges/{escalated}/dispute"), "kind=inquiry");
    assert_eq!(world.page("GET", "/control/state", "").json()["open_disputes"][0], newest()["id"]);
    world.press(&format!("disputes/{}/escalate", id(&newest())), "");
    assert_eq!(of(&escalated)["status"], "needs_response");

    let told: Vec<String> =
        world.told("charge.dispute").iter().map(|kind| kind.trim_start_matches("charge.dispute.").to_owned()).collect();
    let expected = "created funds_withdrawn funds_reinstated closed created funds_withdrawn closed created \
                    funds_withdrawn updated funds_reinstated closed created closed created updated funds_withdrawn";
    assert_eq!(told.join(" "), expected);
}

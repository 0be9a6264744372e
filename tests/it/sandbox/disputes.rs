//! Disputes and inquiries.

use serde_json::{Value, json};

use super::fixture::{Fixture, charge, id};

#[test]
fn disputes_move_the_funds_and_inquiries_do_not() {
    let fixture = Fixture::new();
    let newest = || fixture.get("/v1/disputes")["data"][0].clone();
    let of = |intent: &str| fixture.ok("GET", "/v1/disputes", &format!("payment_intent={intent}"))["data"][0].clone();

    let by_card = fixture.pay_new_session("card=4000000000000259");
    let dispute = of(&by_card);
    assert_eq!((&dispute["status"], &dispute["amount"]), (&json!("needs_response"), &json!(1800)));
    assert_eq!(charge(&fixture, &by_card)["disputed"], true);
    assert_eq!(fixture.error("POST", "/v1/refunds", &format!("payment_intent={by_card}")).1, "charge_disputed");
    fixture.control(&format!("disputes/{}/won", id(&dispute)), "amount=1000");
    let won = newest();
    let moved: Vec<&Value> =
        won["balance_transactions"].as_array().expect("a list").iter().map(|row| &row["amount"]).collect();
    assert_eq!((&won["status"], moved), (&json!("won"), vec![&json!(-1800), &json!(1000)]));
    fixture.ok("POST", "/v1/refunds", &format!("payment_intent={by_card}&amount=100"));

    let lost = fixture.pay_new_session("card=4242424242424242");
    fixture.control(&format!("charges/{lost}/dispute"), "");
    fixture.ok("POST", &format!("/v1/disputes/{}/close", id(&newest())), "");
    assert_eq!(of(&lost)["status"], "lost");
    assert_eq!(fixture.error("POST", &format!("/v1/disputes/{}/close", id(&newest())), "").1, "dispute_already_closed");
    assert_eq!(fixture.page("POST", &format!("/control/charges/{lost}/dispute"), "").status, 409, "only once");

    let answered = fixture.pay_new_session("card=4242424242424242");
    fixture.control(&format!("charges/{answered}/dispute"), "");
    fixture.ok("POST", &format!("/v1/disputes/{}", id(&newest())), "evidence[uncategorized_text]=winning_evidence");
    assert_eq!(of(&answered)["status"], "won");

    let asked = fixture.pay_new_session("card=4000000000001976");
    assert_eq!(of(&asked)["status"], "warning_needs_response");
    fixture.control(&format!("disputes/{}/close", id(&newest())), "");
    assert_eq!(
        (of(&asked)["status"].clone(), of(&asked)["balance_transactions"].clone()),
        (json!("warning_closed"), json!([]))
    );
    let escalated = fixture.pay_new_session("card=4242424242424242");
    fixture.control(&format!("charges/{escalated}/dispute"), "kind=inquiry");
    assert_eq!(fixture.page("GET", "/control/state", "").json()["open_disputes"][0], newest()["id"]);
    fixture.control(&format!("disputes/{}/escalate", id(&newest())), "");
    assert_eq!(of(&escalated)["status"], "needs_response");

    let types: Vec<String> = fixture
        .event_types("charge.dispute")
        .iter()
        .map(|kind| kind.trim_start_matches("charge.dispute.").to_owned())
        .collect();
    let expected = "created funds_withdrawn funds_reinstated closed created funds_withdrawn closed created \
                    funds_withdrawn updated funds_reinstated closed created closed created updated funds_withdrawn";
    assert_eq!(types.join(" "), expected);
}

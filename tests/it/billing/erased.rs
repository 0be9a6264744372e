//! Money for somebody who was erased: what they left open ends at Stripe, and what is paid all the same is the operator's.

use serde_json::{Value, json};

use crate::harness::shop::GOOD_CARD;
use crate::harness::webhook::{event, now};
use crate::harness::{Shop, eventually};

#[test]
fn an_open_checkout_of_an_erased_user_ends_and_what_is_paid_all_the_same_is_unmatched() {
    let shop = Shop::open();
    ["alice", "bob"].iter().for_each(|user| shop.user(user));
    let at_stripe = |session: &str| shop.ask_stripe("GET", &format!("/v1/checkout/sessions/{session}"));
    let (bought, page) = shop.checkout("alice", "topup_100");
    shop.pay(&page, &[("card", GOOD_CARD)]).must(303);
    shop.wait_for_units("alice", 100);
    let [open, told_late, raced, plan] =
        ["topup_250", "topup_100", "topup_100", "starter"].map(|offer| shop.checkout("alice", offer));

    // Stripe does not take it for a while: the erasure does not wait for it, and buyers are faster.
    let away = [("path", "/v1/checkout"), ("method", "POST"), ("kind", "status:500"), ("times", "100")];
    shop.stripe_control("faults", &away);
    let said = shop.till_prints(&["user", "erase", "alice"]);
    let erased = said.split_whitespace().find(|word| word.starts_with("erased_")).unwrap();
    for (_, page) in [&raced, &plan] {
        shop.pay(page, &[("card", GOOD_CARD)]).must(303);
    }
    let unmatched = |what: &str, is_it: &dyn Fn(&Value) -> bool| {
        shop.till.wait_for_log(what, |line| line["event"] == "payment_unmatched" && is_it(line));
    };
    unmatched("the pack", &|line| line["object"] == raced.0.as_str());
    unmatched("the plan", &|line| line["why"].as_str().unwrap().contains("cancel the subscription sub_"));
    shop.stripe_control("faults/clear", &[]);
    for (session, _) in [&open, &told_late] {
        eventually("an end of the checkout", || (at_stripe(session)["status"] == "expired").then_some(()));
    }
    assert_eq!(shop.remaining(erased), 100, "nothing was credited");

    // What was bought before is credited however late it is told, and given back.
    let mut session = at_stripe(&told_late.0);
    let before = now().seconds();
    for (field, value) in [
        ("status", json!("complete")),
        ("payment_status", json!("paid")),
        ("payment_intent", json!("pi_told_late")),
        ("created", json!(before - 1200)),
    ] {
        session[field] = value;
    }
    let mut late = event("checkout.session.completed", &session);
    late["created"] = json!(before - 600);
    shop.webhook(&late).must(200);
    assert_eq!(shop.remaining(erased), 200);
    let intent = at_stripe(&bought)["payment_intent"].as_str().unwrap().to_owned();
    shop.stripe_control(&format!("charges/{intent}/refund"), &[]);
    shop.wait_for_units(erased, 100);

    // The operator may give it to somebody else.
    let inbox = shop.inbox(&["--status", "unmatched"]);
    let told = inbox.iter().find(|row| row["type"] == "checkout.session.completed").unwrap();
    shop.till_prints(&["event", "assign", told["id"].as_str().unwrap(), "bob"]);
    assert_eq!((shop.remaining("bob"), shop.remaining(erased)), (100, 100));
    let proof = shop.till(&["ledger", "verify"]);
    assert!(proof.status.success(), "{}", String::from_utf8_lossy(&proof.stdout));
}

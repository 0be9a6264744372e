//! From the books to Stripe: what the books say was paid must be at Stripe, and what is not can be taken back.

use serde_json::{Value, json};

use super::report::{check_says, compare};
use crate::harness::shop::GOOD_CARD;
use crate::harness::webhook::event;
use crate::harness::{Folder, Shop, canned, eventually, is_about_a_file, process, shop};

/// A session that pays for a pack. Who has the webhook secret can sign any such event.
fn session(id: &str, user: &str, plan: &str, amount: i64) -> Value {
    json!({ "id": id, "object": "checkout.session", "mode": "payment", "status": "complete", "payment_status": "paid",
        "payment_intent": id.replace("cs_", "pi_"), "amount_total": amount, "currency": "usd", "created": 1_790_000_000,
        "metadata": { "user_id": user, "plan": plan } })
}

fn tell(shop: &Shop, session: &Value) {
    shop.webhook(&event("checkout.session.completed", session)).must(200);
}

/// What is reported of each payment that Stripe does not confirm, by its reference.
fn unconfirmed(report: &Value) -> Vec<(&str, &str)> {
    let payments = report["unconfirmed_payments"].as_array().unwrap();
    let mut found: Vec<(&str, &str)> = payments
        .iter()
        .map(|payment| (payment["reference"].as_str().unwrap(), payment["detail"].as_str().unwrap()))
        .collect();
    found.sort_unstable();
    found
}

#[test]
fn a_payment_that_never_was_is_found_and_taken_back_once_with_a_reason() {
    let shop = Shop::open_with(&[("SPRITE_RECONCILE_INTERVAL", "off")]);
    for user in ["alice", "mallory"] {
        shop.user(user);
    }
    let (_, checkout) = shop.checkout("alice", "topup_100");
    shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
    shop.wait_for_units("alice", 100);
    assert_eq!(compare(&shop).0["agrees"], true);
    assert!(check_says(&shop, "payments").0);

    tell(&shop, &session("cs_never", "mallory", "topup_250", 2_000));
    tell(&shop, &session("no such id/..", "mallory", "topup_100", 900));
    assert_eq!(shop.remaining("mallory"), 350);
    for _ in 0..2 {
        let (report, is_clean) = compare(&shop);
        let figures = (report["unconfirmed"].as_i64(), report["agrees"].as_bool(), is_clean);
        assert_eq!(figures, (Some(2), Some(false), false), "{report}");
        let expected =
            [("no such id/..", "Stripe does not know no such id/.."), ("pi_never", "Stripe does not know cs_never")];
        assert_eq!(unconfirmed(&report), expected, "{report}");
        let rows = report["unconfirmed_payments"].as_array().unwrap();
        let row = rows.iter().find(|row| row["reference"] == "pi_never").unwrap();
        assert_eq!((&row["user_id"], &row["units"], &row["amount"]), (&json!("mallory"), &json!(250), &json!(2_000)));
    }
    let text = String::from_utf8(shop.till(&["reconcile"]).stdout).unwrap();
    assert!(text.contains("not confirmed: pi_never of mallory, 250 units: Stripe does not know cs_never"), "{text}");
    let (is_good, detail) = check_says(&shop, "payments");
    assert!(!is_good && detail.contains("2 in the books") && detail.contains("till payment list"), "{detail}");
    let listed: Value = serde_json::from_str(&shop.till_prints(&["payment", "list", "--json"])).unwrap();
    assert_eq!(listed["data"].as_array().unwrap().len(), 2, "{listed}");
    assert!(shop.till_prints(&["payment", "list"]).contains("mallory"));

    // What Stripe confirms is not taken back here, and a reason is needed.
    let bought = shop.ledger("alice")[0].0.replace("topup_", "");
    let refused = shop.till(&["payment", "reverse", &bought, "--reason", "a mistake"]);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && said.contains("refund it at Stripe"), "{said}");
    for wrong in [&["payment", "reverse", "pi_never"][..], &["payment", "reverse", "pi_never", "--reason", " "]] {
        assert_eq!(shop.till(wrong).status.code(), Some(2), "{wrong:?}");
    }
    assert_eq!(shop.till(&["payment", "reverse", "pi_unknown", "--reason", "x"]).status.code(), Some(1));

    let reverse = |id: &str| -> Value {
        let arguments = ["payment", "reverse", id, "--reason", "forged: the secret had leaked", "--json"];
        serde_json::from_str(&shop.till_prints(&arguments)).unwrap()
    };
    // Spent units are taken all the same: the user owes them.
    shop.api.call_once("/v1/users/mallory/spends", "spend-1", &json!({ "units": 300 })).must(201);
    let expected =
        json!({ "reference": "pi_never", "user_id": "mallory", "units": 250, "balance": -200, "repeated": false });
    assert_eq!(reverse("cs_never"), expected);
    let again = reverse("pi_never");
    assert_eq!((&again["repeated"], &again["balance"]), (&json!(true), &json!(-200)), "{again}");
    let entry = shop.api.get("/v1/users/mallory/ledger?limit=1").must(200).json()["data"][0].clone();
    assert_eq!((&entry["kind"], &entry["delta"]), (&json!("refund"), &json!(-250)), "{entry}");
    assert_eq!(
        (&entry["reason"], &entry["note"]),
        (&json!("refund_pi_never"), &json!("forged: the secret had leaked"))
    );
    let rows = shop.till_prints(&["ledger", "export"]);
    let row = rows.lines().find(|row| row.contains("refund_pi_never")).unwrap();
    assert!(row.split(',').any(|field| field == "cli"), "the operator took it, not Stripe: {row}");
    reverse("no such id/..");
    assert_eq!(shop.remaining("mallory"), -300);

    // Nothing brings the units back: neither the same event again, nor what is said about its refunds and disputes.
    tell(&shop, &session("cs_never", "mallory", "topup_250", 2_000));
    let dispute = json!({ "id": "dp_1", "status": "won", "amount": 2_000, "payment_intent": "pi_never" });
    shop.webhook(&event("charge.dispute.closed", &dispute)).must(200);
    assert_eq!(shop.remaining("mallory"), -300);
    assert!(check_says(&shop, "payments").0);
    let (report, is_clean) = compare(&shop);
    assert!(is_clean && report["unconfirmed"] == 0, "{report}");
    shop.verify_books();
}

/// Each event names a session that Stripe knows, and says something else about it.
#[test]
fn a_payment_that_differs_from_stripes_is_found() {
    let in_currency = |id: &str, currency: &str, more: Value| {
        let mut session = session(id, "alice", "topup_100", 900);
        session["currency"] = json!(currency);
        session.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        session
    };
    let mut unpaid = session("cs_unpaid", "alice", "topup_100", 900);
    unpaid["payment_status"] = json!("unpaid");
    unpaid["status"] = json!("open");
    let mut stranger = session("cs_stranger", "alice", "topup_100", 900);
    stranger["metadata"] = json!({});
    stranger["customer"] = json!("cus_stranger");
    let mut intent = session("cs_intent", "alice", "topup_100", 900);
    intent["payment_intent"] = json!("pi_of_another");
    let presented = json!({ "amount_total": 830, "presentment_details": { "presentment_amount": 900,
        "presentment_currency": "usd" } });
    let stripes = [
        session("cs_amount", "alice", "topup_250", 900),
        session("cs_fine", "alice", "topup_100", 900),
        session("cs_user", "bert", "topup_100", 900),
        in_currency("cs_euros", "eur", json!({})),
        in_currency("cs_presented", "eur", presented),
        unpaid,
        stranger,
        intent,
    ];
    let list = |rows: &[Value]| json!({ "object": "list", "has_more": false, "data": rows }).to_string();
    let mut answers = vec![("/v1/checkout/sessions?", "200 OK", list(&stripes))];
    for row in &stripes {
        let path: &'static str = format!("/v1/checkout/sessions/{}?", row["id"].as_str().unwrap()).leak();
        answers.push((path, "200 OK", row.to_string()));
    }
    answers.push(("/v1/", "200 OK", list(&[])));
    let stripe = canned::start(answers);
    let shop = Shop::open_with(&[("SPRITE_RECONCILE_INTERVAL", "off"), ("SPRITE_STRIPE_API_BASE", &stripe)]);
    for user in ["alice", "bert"] {
        shop.user(user);
    }
    for id in ["cs_fine", "cs_user", "cs_euros", "cs_presented", "cs_unpaid", "cs_stranger", "cs_intent"] {
        tell(&shop, &session(id, "alice", "topup_100", 900));
    }
    tell(&shop, &session("cs_amount", "alice", "topup_250", 2_000));
    // What was once assigned to alice says nothing about her other payments.
    let other = json!({ "id": "inpay_1", "object": "invoice_payment", "invoice": "in_other", "status": "paid" });
    shop.webhook(&event("invoice_payment.paid", &other)).must(200);
    let assigned =
        "UPDATE events SET assigned_to = (SELECT account FROM users WHERE id = 'alice') WHERE object = 'inpay_1'";
    assert_eq!(shop.hand().change(assigned), 1);
    let (report, is_clean) = compare(&shop);
    assert!(!is_clean, "{report}");
    let found = unconfirmed(&report);
    let expected = [
        ("pi_amount", "cs_amount paid 900 usd, the books say 2000 usd"),
        ("pi_euros", "cs_euros paid 900 eur, the books say 900 usd"),
        ("pi_intent", "cs_intent was paid by pi_of_another, the books say pi_intent"),
        ("pi_stranger", "names no customer or user of ours for cs_stranger"),
        ("pi_unpaid", "cs_unpaid is not paid"),
        ("pi_user", "cs_user is for bert"),
    ];
    assert_eq!(found.len(), expected.len(), "{report}");
    for ((reference, detail), (expected, words)) in found.iter().zip(expected) {
        assert!(*reference == expected && detail.contains(words), "{reference}: {detail}");
    }
}

/// What the appliance compares by itself finds it too, and takes nothing back by itself.
#[test]
fn the_appliance_finds_by_itself_what_never_was_paid() {
    let shop = Shop::open_with(&[("SPRITE_RECONCILE_INTERVAL", "1s")]);
    shop.user("mallory");
    tell(&shop, &session("cs_never", "mallory", "topup_250", 2_000));
    eventually("a doubt", || check_says(&shop, "payments").1.contains("1 in the books are not so").then_some(()));
    assert_eq!(shop.remaining("mallory"), 250);
}

/// What the stand-in sold is confirmed by Stripe's lists alone, a page at a time: no payment is asked about.
#[test]
fn what_was_really_paid_is_confirmed_by_the_lists() {
    let shop = Shop::open_with(&[("SPRITE_RECONCILE_INTERVAL", "off")]);
    for (user, offer, units) in [("alice", "topup_100", 100), ("bert", "topup_250", 250), ("carla", "starter", 100)] {
        shop.user(user);
        let (_, checkout) = shop.checkout(user, offer);
        shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
        shop.wait_for_units(user, units);
    }
    let (report, is_clean) = compare(&shop);
    assert!(is_clean, "{report}");
    let said = String::from_utf8(shop.till(&["reconcile"]).stderr).unwrap();
    let asked = said.lines().find(|line| line.starts_with("payments")).unwrap_or_else(|| panic!("{said}"));
    assert!(asked.split_whitespace().eq(["payments", "0", "looked", "at"]), "{asked}");
}

#[test]
fn commands_about_payments_need_a_database_that_exists() {
    if is_about_a_file() {
        return;
    }
    let folder = Folder::new();
    let variables = shop::variables(&folder, "http://127.0.0.1:9");
    assert!(!process::run(&variables, &["payment", "list"]).status.success());
    assert!(!folder.path("till.db").exists());
}

//! Payment links and pricing tables: the reference in their address names the user.

use std::thread;

use serde_json::{Value, json};

use super::{event_of, foreign_price, id, is_told, pay_link, post, shows, status};
use crate::harness::canned;
use crate::harness::life::{self, check, permutations};
use crate::harness::shop::GOOD_CARD;
use crate::harness::{Client, Shop, webhook};

#[test]
fn a_pack_by_a_payment_link_is_credited_to_the_user_that_its_reference_names() {
    let shop = Shop::open();
    for user in ["alice", "bob@example.org", "till64_YWxpY2U", "c_D-1"] {
        shop.user(user);
    }
    for (reference, user) in [
        ("alice", "alice"),
        ("c_D-1", "c_D-1"),
        ("till64_Ym9iQGV4YW1wbGUub3Jn", "bob@example.org"),
        // Encoded, it means alice, and not the user who has it as an id.
        ("till64_YWxpY2U", "alice"),
        ("till64_dGlsbDY0X1lXeHBZMlU", "till64_YWxpY2U"),
    ] {
        let before = shop.remaining(user);
        let session = pay_link(&shop, "price_topup_100", Some(reference));
        assert_eq!((&session["client_reference_id"], &session["metadata"]), (&json!(reference), &json!({})));
        shop.wait_for_units(user, before + 100);
        let reason = format!("topup_{}", session["payment_intent"].as_str().unwrap());
        assert_eq!(shop.ledger(user)[0].0, reason);
    }
    assert!(shop.till_prints(&["user", "show", "bob@example.org"]).contains("till64_Ym9iQGV4YW1wbGUub3Jn"));
    // Stripe drops these.
    for reference in ["bob@example.org", "a.b"] {
        assert_eq!(pay_link(&shop, "price_topup_100", Some(reference))["client_reference_id"], json!(null));
    }
    is_told(&shop);
    assert_eq!(shop.inbox(&["--status", "unmatched"]).len(), 2);
    assert_eq!(shop.remaining("bob@example.org"), 100);
    shop.verify_books();
}

/// Stripe's object has the first ten of its items, and its list has all.
#[test]
fn a_payment_link_of_more_than_ten_items_is_credited_whole() {
    let shop = Shop::open();
    shop.user("alice");
    let mut items = vec!["price_topup_100".to_owned()];
    items.extend((0..10).map(|_| foreign_price(&shop, None)));
    items.push("price_topup_250".to_owned());
    let mut form = vec![];
    for (number, price) in items.iter().enumerate() {
        form.push((format!("line_items[{number}][price]"), price.as_str()));
        form.push((format!("line_items[{number}][quantity]"), "1"));
    }
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let link = post(&shop, "/v1/payment_links", &form);
    let browser = Client::browser(&shop.stripe.url());
    let opened = browser.get(&format!("{}?client_reference_id=alice", link["url"].as_str().unwrap())).must(303);
    shop.pay(opened.header("location"), &[("card", GOOD_CARD)]).must(303);
    shop.wait_for_units("alice", 350);
    is_told(&shop);
    assert_eq!((shop.remaining("alice"), shop.ledger("alice").len()), (350, 2));
    // What else was bought is not sold here: the operator sees it.
    assert_eq!(shop.inbox(&["--status", "unmatched"]).len(), 1);
    shop.verify_books();
}

/// Metadata decides, then a customer who is known, and only then the reference.
#[test]
fn the_reference_decides_last() {
    let shop = Shop::open();
    shop.user("alice");
    shop.user("bob");
    let (known, _) = shop.checkout("alice", "topup_100");
    let customer = shop.ask_stripe("GET", &format!("/v1/checkout/sessions/{known}"))["customer"].clone();
    for (number, (more, expected)) in [
        (json!({}), Ok("bob")),
        (json!({"customer": "cus_stranger"}), Ok("bob")),
        (json!({"customer": customer}), Ok("alice")),
        (json!({"metadata": {"user_id": "alice"}}), Ok("alice")),
        (json!({"metadata": {"user_id": "carol"}}), Err("\"carol\"")),
        (json!({"client_reference_id": "carol"}), Err("neither a user nor a customer")),
        (json!({"client_reference_id": "bob@example.org"}), Err("neither a user nor a customer")),
    ]
    .into_iter()
    .enumerate()
    {
        let item = json!({"id": "li_1", "price": {"id": "price_topup_100"}, "quantity": 1});
        let mut session = json!({"id": format!("cs_test_{number}"), "object": "checkout.session", "mode": "payment",
            "status": "complete", "payment_status": "paid", "payment_intent": format!("pi_{number}"), "metadata": {},
            "amount_total": 900, "currency": "usd", "client_reference_id": "bob",
            "line_items": {"object": "list", "has_more": false, "data": [item]}});
        session.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let before = expected.map(|user| shop.remaining(user));
        let told = webhook::event("checkout.session.completed", &session);
        shop.webhook(&told).must(200);
        let (status, detail) = status(&shop, id(&told));
        match (expected, before) {
            (Ok(user), Ok(before)) => assert_eq!(shop.remaining(user), before + 100, "{more}: {detail}"),
            (Err(why), _) => assert!(status == "unmatched" && detail.contains(why), "{more}: {detail}"),
            _ => unreachable!(),
        }
    }
    shop.verify_books();
}

#[test]
fn a_plan_by_a_payment_link_is_the_users_with_its_renewals_and_its_portal() {
    let shop = Shop::open();
    shop.user("alice");
    let session = pay_link(&shop, "price_starter", Some("alice"));
    shop.wait_for_units("alice", 100);
    shows(&shop, "alice", "starter", "active");
    is_told(&shop);
    assert_eq!(shop.inbox(&["--status", "unmatched"]), Vec::<Value>::new());
    let linked = |line: &Value| line["user_id"] == "alice" && line["customer"] == session["customer"];
    shop.till.wait_for_log("customer_linked", |line| line["event"] == "customer_linked" && linked(line));
    for renewal in 2..=3 {
        shop.stripe_control("clock/advance", &[("by", "month"), ("times", "1")]);
        shop.wait_for_units("alice", 100 * renewal);
    }
    let refused = shop.api.call("POST", "/v1/users/alice/checkout", &json!({"plan": "pro"})).must(409).json();
    assert!(refused["portal_url"].as_str().unwrap().contains("/p/session/"), "{refused}");
    // The user's own checkouts never go to a customer that a stranger may have made.
    let (own, _) = shop.checkout("alice", "topup_100");
    let own = shop.ask_stripe("GET", &format!("/v1/checkout/sessions/{own}"));
    assert_ne!(own["customer"], session["customer"]);
    shop.verify_books();
    shop.till_prints(&["reconcile"]);
}

const KINDS: [&str; 4] =
    ["customer.subscription.created", "invoice.paid", "invoice_payment.paid", "checkout.session.completed"];

#[test]
fn a_plan_by_a_payment_link_ends_the_same_in_any_order_of_its_events() {
    let shop = Shop::open();
    shop.stripe_control("webhooks/hold", &[]);
    let orders = permutations(&KINDS.map(|kind| json!(kind)));
    thread::scope(|scope| {
        for (number, part) in orders.chunks(6).enumerate() {
            let (shop, part) = (&shop, part.to_vec());
            scope.spawn(move || {
                for (at, order) in part.iter().enumerate() {
                    begin_in_order(shop, &format!("u{number}_{at}"), order);
                }
            });
        }
    });
    assert_eq!(shop.inbox(&["--status", "unmatched"]), Vec::<Value>::new());
    shop.verify_books();
    shop.till_prints(&["reconcile"]);
}

fn begin_in_order(shop: &Shop, user: &str, order: &[Value]) {
    shop.user(user);
    let session = pay_link(shop, "price_starter", Some(user));
    let invoice = session["invoice"].as_str().unwrap();
    for kind in order {
        let about =
            if kind == "customer.subscription.created" { &session["subscription"] } else { &session["invoice"] };
        let event = event_of(shop, kind.as_str().unwrap(), about.as_str().unwrap());
        shop.webhook(&event).must(200);
        shop.webhook(&event).must(200);
    }
    shows(shop, user, "starter", "active");
    assert_eq!(shop.ledger(user), [(format!("sub_{invoice}"), 100, 100)], "{order:?}");
}

/// The same where Stripe does not tell what the session sold: the invoice does.
#[test]
fn a_plan_whose_checkout_tells_only_the_user_ends_the_same_in_any_order() {
    let told = |id: &str, kind: &str, object: Value| life::event(id, kind, 0, object);
    let session = json!({"id": "cs_test_1", "object": "checkout.session", "mode": "subscription", "status": "complete",
        "payment_status": "paid", "customer": "cus_new", "subscription": "sub_new", "invoice": "in_1",
        "client_reference_id": "alice", "metadata": {}});
    let item = json!({"id": "si_1", "price": {"id": "price_starter"}, "quantity": 1,
        "current_period_start": 1_790_000_000, "current_period_end": 1_792_592_000});
    let subscription = json!({"id": "sub_new", "object": "subscription", "status": "active", "customer": "cus_new",
        "metadata": {}, "items": {"object": "list", "has_more": false, "data": [item]}});
    let invoice = |id: &str| {
        let line = json!({"id": "il_1", "amount": 900, "quantity": 1,
            "pricing": {"price_details": {"price": "price_starter"}}});
        json!({"id": id, "object": "invoice", "status": "paid", "total": 900, "amount_paid": 900, "currency": "usd",
            "customer": "cus_new", "metadata": {}, "lines": {"object": "list", "has_more": false, "data": [line]},
            "parent": {"subscription_details": {"subscription": "sub_new", "metadata": {}}}})
    };
    let events = [
        told("session", "checkout.session.completed", session),
        told("subscription", "customer.subscription.created", subscription),
        told("first", "invoice.paid", invoice("in_1")),
        told("renewal", "invoice.paid", invoice("in_2")),
    ];
    check(&canned::start(vec![]), "a plan", &events, 200);
}

/// The link may lead back to till's return page.
#[test]
fn the_return_page_of_a_payment_link_shows_what_was_bought_to_the_user_whom_it_names() {
    let shop = Shop::open_with(&[("SPRITE_RECONCILE_INTERVAL", "off")]);
    shop.user("alice");
    shop.user("bob");
    shop.stripe_control("webhooks/hold", &[]);
    let (alice, bob) = (shop.sign_in("alice"), shop.sign_in("bob"));
    for (price, says) in [("price_topup_100", "100 pictures added"), ("price_starter", "You are subscribed to Starter")]
    {
        let session = pay_link(&shop, price, Some("alice"));
        let back = format!("/billing/return?session_id={}", id(&session));
        bob.get(&back).must(404);
        for _ in 0..2 {
            let page = alice.get(&back).must(200).body;
            assert!(page.contains(says), "{price}: {page}");
        }
    }
    assert_eq!(
        (shop.remaining("alice"), shop.remaining("bob")),
        (200, 0),
        "what the plan brings comes at once as well"
    );
    shop.till_prints(&["reconcile"]);
    assert_eq!(shop.remaining("alice"), 200);
    shows(&shop, "alice", "starter", "active");
    shop.verify_books();
}

/// A buyer may write any user into the address of a payment link: that gives, and takes nothing.
#[test]
fn a_reference_gives_units_away_and_never_takes_a_customer_a_plan_or_units() {
    let shop = Shop::open();
    shop.user("alice");
    shop.user("mallory");
    let (own, checkout) = shop.checkout("alice", "starter");
    shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
    shop.wait_for_units("alice", 100);
    let own = shop.ask_stripe("GET", &format!("/v1/checkout/sessions/{own}"));

    // Her customer is hers, whatever reference a session of it has.
    let theirs = json!({"id": "cs_test_theirs", "object": "checkout.session", "mode": "subscription",
        "status": "complete", "payment_status": "paid", "customer": own["customer"], "client_reference_id": "mallory",
        "subscription": "sub_theirs", "metadata": {}, "line_items": {"object": "list", "has_more": false, "data": [
            {"id": "li_1", "price": {"id": "price_starter"}, "quantity": 1}]}});
    shop.webhook(&webhook::event("checkout.session.completed", &theirs)).must(200);
    let portal = || {
        let refused = shop.api.call("POST", "/v1/users/alice/checkout", &json!({"plan": "pro"})).must(409).json();
        refused["portal_url"].as_str().unwrap().to_owned()
    };
    assert!(Client::browser(&shop.stripe.url()).get(&portal()).must(200).body.contains("Starter"));

    // A gift, and its refund: what it gave is what it takes.
    let gift = pay_link(&shop, "price_topup_250", Some("alice"));
    shop.wait_for_units("alice", 350);
    post(&shop, "/v1/refunds", &[("payment_intent", gift["payment_intent"].as_str().unwrap())]);
    shop.wait_for_units("alice", 100);
    let plan = pay_link(&shop, "price_pro", Some("alice"));
    shop.wait_for_units("alice", 600);
    is_told(&shop);
    let page = Client::browser(&shop.stripe.url()).get(&portal()).must(200).body;
    assert!(page.contains("Starter"), "her own customer's page, and not the giver's: {page}");
    shop.ask_stripe("DELETE", &format!("/v1/subscriptions/{}", plan["subscription"].as_str().unwrap()));
    shows(&shop, "alice", "starter", "active");
    assert_eq!((shop.remaining("alice"), shop.remaining("mallory")), (600, 0));
    shop.verify_books();
}

#[test]
fn a_reference_to_what_is_not_sold_here_is_shown_and_makes_nobodys_customer() {
    let shop = Shop::open();
    shop.user("alice");
    let price = super::foreign_price(&shop, Some("month"));
    let session = pay_link(&shop, &price, Some("alice"));
    is_told(&shop);
    let told = event_of(&shop, "checkout.session.completed", id(&session));
    let (status, detail) = status(&shop, id(&told));
    assert!(status == "unmatched" && detail.contains("no plan of the catalogue"), "{status} {detail}");
    assert_eq!((shop.remaining("alice"), shop.ledger("alice").len()), (0, 0));
    shows(&shop, "alice", "free", "none");
    shop.checkout("alice", "starter");
}

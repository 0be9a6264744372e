//! Outgoing webhooks, from the outside: each notification arrives once, signed, with what happened; none goes to an
//! address that is not allowed; and a crash loses none.

use serde_json::{Value, json};

use crate::harness::receiver::Got;
use crate::harness::shop::GOOD_CARD;
use crate::harness::{Client, Receiver, Shop, eventually};

const LOOPBACK: (&str, &str) = ("SPRITE_HOOK_PRIVATE_NETWORKS", "127.0.0.0/8,::1/128");

/// A shop with one user and an endpoint for all topics; the endpoint's id and secret.
fn shop(receiver: &Receiver) -> (Shop, String, String) {
    let shop = Shop::open_with(&[LOOPBACK, ("SPRITE_LOG", "trace")]);
    shop.user("alice");
    let made = shop.till_prints(&["hook", "add", &receiver.url(), "--json"]);
    let made: Value = serde_json::from_str(&made).unwrap();
    let text = |field: &str| made[field].as_str().unwrap().to_owned();
    (shop, text("id"), text("secret"))
}

fn spend(shop: &Shop, key: &str, units: i64) {
    shop.api.call_once("/v1/users/alice/spends", key, &json!({"units": units})).must(201);
}

/// The data of the notifications about this topic.
fn data_of(got: &[Got], topic: &str) -> Vec<Value> {
    got.iter().map(Got::json).filter(|json| json["type"] == topic).map(|mut json| json["data"].take()).collect()
}

/// The id of alice's entry with this reason.
fn entry_of(shop: &Shop, reason: &Value) -> Value {
    let entries = shop.api.get("/v1/users/alice/ledger?limit=100").must(200).json();
    let rows = entries["data"].as_array().unwrap();
    rows.iter().find(|row| row["reason"] == *reason).map(|row| row["id"].clone()).unwrap()
}

/// The lines of the log that say that a balance is low.
fn low_lines(shop: &Shop) -> Vec<[Value; 3]> {
    let log = shop.till.log();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let low = lines.filter(|line| line["event"] == "low_balance");
    low.map(|line| ["user_id", "remaining", "threshold"].map(|field| line[field].clone())).collect()
}

fn deliveries(shop: &Shop, more: &[&str]) -> Vec<Value> {
    let listed = shop.till_prints(&[&["hook", "deliveries", "--json"], more].concat());
    serde_json::from_str::<Value>(&listed).unwrap()["data"].as_array().unwrap().clone()
}

#[test]
fn top_ups_reversals_and_low_balances_are_notified_once_and_signed() {
    let receiver = Receiver::start();
    let (shop, _, secret) = shop(&receiver);
    let (_, checkout) = shop.checkout("alice", "topup_100");
    shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
    shop.wait_for_units("alice", 100);
    let reason = shop.ledger("alice")[0].0.clone();
    spend(&shop, "to the threshold", 90);
    spend(&shop, "below it", 5);
    spend(&shop, "lower", 1);
    shop.give("alice", 20);
    spend(&shop, "below it again", 20);
    let stripe = Client::new(&shop.stripe.url(), &[("authorization", "Bearer sk_test_stories")]);
    let intent = reason.strip_prefix("topup_").unwrap();
    stripe.post_form("/v1/refunds", &[("payment_intent", intent)]).must(200);
    shop.wait_for_units("alice", -96);

    let got = receiver.wait_for(4);
    let words: Vec<String> = got.iter().map(|got| got.what().0).collect();
    assert_eq!(words, ["user.topped_up", "user.low_balance", "user.low_balance", "user.reversed"]);
    let entry_of = |reason: &Value| entry_of(&shop, reason);
    let topped_up = &data_of(&got, "user.topped_up")[0];
    assert_eq!(
        *topped_up,
        json!({"user_id": "alice", "units": 100, "balance": 100, "reason": reason, "plan": "topup_100",
            "entry_id": entry_of(&json!(reason))})
    );
    let topup_url = format!("{}/dashboard", shop.till.url);
    let low =
        |remaining: i64| json!({"user_id": "alice", "remaining": remaining, "threshold": 10, "topup_url": topup_url});
    assert_eq!(data_of(&got, "user.low_balance"), [low(5), low(4)]);
    let reversed = data_of(&got, "user.reversed")[0].clone();
    let refund = reversed["reason"].clone();
    assert!(refund.as_str().unwrap().starts_with("refund_"), "{reversed}");
    assert_eq!(
        reversed,
        json!({"user_id": "alice", "units": -100, "balance": -96, "reason": refund, "cause": "refund",
            "entry_id": entry_of(&refund)})
    );

    for got in &got {
        assert!(got.is_signed_by(&secret), "{got:?}");
        assert_eq!(got.header("content-type"), "application/json");
        assert_eq!(got.json()["timestamp"].as_str().unwrap().len(), 24, "{got:?}");
    }
    let mut ids: Vec<&str> = got.iter().map(|got| got.header("webhook-id")).collect();
    ids.dedup();
    assert!(ids.len() == 4 && ids.iter().all(|id| id.starts_with("msg_")), "{ids:?}");
    let alice = json!("alice");
    assert_eq!(low_lines(&shop), [[alice.clone(), json!(5), json!(10)], [alice, json!(4), json!(10)]]);
    let listed = eventually("all delivered", || {
        let listed = deliveries(&shop, &[]);
        listed.iter().all(|row| row["status"] == "delivered").then_some(listed)
    });
    assert_eq!(
        (listed.len(), &listed[0]["type"], &listed[0]["last_status"]),
        (4, &json!("user.reversed"), &json!(204))
    );
    let log = shop.till.log();
    assert!(
        log.contains("hook_delivered") && !log.contains(secret.strip_prefix("whsec_").unwrap()),
        "a secret is logged"
    );
    let metrics = shop.visitor().get("/metrics").must(200).body;
    assert!(metrics.contains("till_hook_deliveries_total{status=\"delivered\"} 4"), "{metrics}");
    shop.verify_books();
}

#[test]
fn a_plan_is_notified_when_it_begins_renews_and_ends() {
    let receiver = Receiver::start();
    let (shop, ..) = shop(&receiver);
    let (_, checkout) = shop.checkout("alice", "starter");
    shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
    // The invoice and the subscription come in separate events, in any order.
    let got = receiver.wait_for(2);
    let changed = data_of(&got, "user.plan_changed")[0].clone();
    let began =
        json!({"user_id": "alice", "plan": "starter", "previous_plan": "free", "features": [], "status": "active"});
    assert_eq!(changed, began);
    let allotted = &data_of(&got, "user.allotted")[0];
    assert_eq!((&allotted["units"], &allotted["plan"]), (&json!(100), &json!("starter")), "{allotted}");

    shop.stripe_control("clock/advance", &[("by", "month")]);
    let renewed = data_of(&receiver.wait_for(3), "user.allotted")[1].clone();
    assert_eq!((&renewed["units"], &renewed["balance"]), (&json!(100), &json!(200)), "{renewed}");

    let subscriptions = shop.ask_stripe("GET", "/v1/subscriptions?limit=1");
    let subscription = subscriptions["data"][0]["id"].as_str().unwrap();
    shop.ask_stripe("DELETE", &format!("/v1/subscriptions/{subscription}"));
    let ended = data_of(&receiver.wait_for(4), "user.plan_changed")[1].clone();
    let free =
        json!({"user_id": "alice", "plan": "free", "previous_plan": "starter", "features": ["byok"], "status": null});
    assert_eq!(ended, free);
}

#[test]
fn nothing_goes_where_it_may_not() {
    let receiver = Receiver::start();
    let shop = Shop::open();
    shop.user("alice");
    shop.give("alice", 100);
    let refused = |url: &str, expected: &str| {
        let output = shop.till(&["hook", "add", url]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && said.contains(expected), "{url}: {said}");
    };
    refused(&receiver.url(), "plain http");
    refused(&receiver.url().replace("http", "https"), "no public address");
    refused(&receiver.url_by_name().replace("http", "https"), "no public address");

    let shop = shop.crash_and_restart_with(&[LOOPBACK]);
    shop.till_prints(&["hook", "add", &receiver.url_by_name(), "--events", "user.low_balance"]);
    let listed: Value = serde_json::from_str(&shop.till_prints(&["hook", "list", "--json"])).unwrap();
    let hook = listed["data"][0]["id"].as_str().unwrap().to_owned();
    assert!(listed["data"][0].get("secret").is_none() && listed["data"][0]["events"] == json!(["user.low_balance"]));
    assert!(shop.till_prints(&["hook", "test", &hook]).contains("delivered, status 204"));
    assert_eq!(receiver.got()[0].json()["type"], "till.test");

    // What was allowed when it was added is checked again when it is connected to.
    let shop = shop.crash_and_restart_with(&[("SPRITE_HOOK_PRIVATE_NETWORKS", "10.0.0.0/8")]);
    spend(&shop, "all", 100);
    let failed = eventually("a refused delivery", || {
        let rows = deliveries(&shop, &[]);
        rows.iter().find(|row| row["attempts"] == 1).map(|row| row["last_error"].as_str().unwrap().to_owned())
    });
    assert!(failed.contains("no public address") && failed.contains("SPRITE_HOOK_PRIVATE_NETWORKS"), "{failed}");
    assert_eq!(shop.till(&["hook", "test", &hook]).status.code(), Some(1));
    assert_eq!(receiver.got().len(), 1);
}

#[test]
fn the_operator_manages_endpoints_on_the_command_line() {
    let receiver = Receiver::start();
    let (shop, id, secret) = shop(&receiver);
    let shown: Value = serde_json::from_str(&shop.till_prints(&["hook", "show", &id, "--json"])).unwrap();
    assert_eq!(
        (&shown["url"], &shown["events"], &shown["secret"]),
        (&json!(receiver.url()), &json!(["*"]), &Value::Null)
    );
    let rolled: Value = serde_json::from_str(&shop.till_prints(&["hook", "roll", &id, "--json"])).unwrap();
    let tested: Value = serde_json::from_str(&shop.till_prints(&["hook", "test", &id, "--json"])).unwrap();
    assert_eq!((&tested["delivered"], &tested["status"]), (&json!(true), &json!(204)));
    let got = receiver.got().pop().unwrap();
    assert!(got.is_signed_by(&secret) && got.is_signed_by(rolled["secret"].as_str().unwrap()));
    receiver.answer(|_| Some((500, "")));
    let url = receiver.url();
    let rows: [(&[&str], i32, &str); 15] = [
        (&["hook", "test", &id], 1, "not delivered, status 500"),
        (&["hook", "disable", &id], 0, "is off"),
        (&["hook", "list"], 0, "off since"),
        (&["hook", "enable", &id], 0, "is on"),
        (&["hook", "list"], 0, "on "),
        (&["hook", "show", &id], 0, &url),
        (&["hook", "show", "hook_1"], 1, "There is no hook \"hook_1\""),
        (&["hook", "roll", "hook_1"], 1, "There is no hook"),
        (&["hook", "add", &url, "--events", "user.sneezed"], 2, "user.topped_up, user.allotted, user.low_balance"),
        (&["hook", "add", "gopher://a"], 2, "https://app.example.com/till"),
        (&["hook", "retry"], 2, "<MESSAGE>"),
        (&["hook", "retry", "msg_1"], 1, "There is no message"),
        (&["hook", "retry", "--parked"], 0, "0 to be sent again"),
        (&["hook", "remove", &id], 0, "is removed"),
        (&["hook", "remove", &id], 1, "There is no hook"),
    ];
    for (line, code, says) in rows {
        let output = shop.till(line);
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.code() == Some(code) && said.contains(says), "{line:?}: {said}");
    }
}

#[test]
fn a_crash_before_the_mark_sends_the_same_message_again() {
    let receiver = Receiver::start();
    receiver.answer(|_| None);
    let (shop, _, secret) = shop(&receiver);
    shop.give("alice", 20);
    spend(&shop, "k", 15);
    let first = receiver.wait_for(1)[0].clone();
    receiver.answer(|_| Some((200, "")));
    let shop = shop.crash_and_restart();
    let second = receiver.wait_for(2)[1].clone();
    assert_eq!(
        (first.header("webhook-id"), first.json()["data"]["remaining"].clone()),
        (second.header("webhook-id"), second.json()["data"]["remaining"].clone())
    );
    assert!(second.is_signed_by(&secret));
    eventually("the mark", || (deliveries(&shop, &[])[0]["status"] == "delivered").then_some(()));
    assert_eq!(receiver.got().len(), 2);
}

#[test]
fn a_users_own_threshold_counts_and_without_an_endpoint_there_is_only_the_log_line() {
    let shop = Shop::open_with(&[("SPRITE_LOW_BALANCE", "7")]);
    let put = |body: &Value| shop.api.call("PUT", "/v1/users/alice", body);
    put(&json!({"low_balance": 50})).must(201);
    for (body, status) in [
        (json!({"low_balance": -1}), 400),
        (json!({"low_balance": 1_000_000_001}), 400),
        (json!({"low_balance": 1.5}), 400),
        (json!({"low_balance": "5"}), 400),
        (json!({"name": "Alice"}), 200),
    ] {
        put(&body).must(status);
    }
    shop.give("alice", 100);
    let lines = |count: usize| eventually("the lines", || Some(low_lines(&shop)).filter(|lines| lines.len() == count));
    spend(&shop, "a", 51);
    assert_eq!(lines(1)[0], [json!("alice"), json!(49), json!(50)]);
    put(&json!({"low_balance": null})).must(200);
    spend(&shop, "b", 42);
    spend(&shop, "c", 1);
    assert_eq!(lines(2)[1], [json!("alice"), json!(6), json!(7)]);
    assert!(
        shop.till_prints(&["user", "low-balance", "alice", "5"]).contains("low below 5 pictures (set for this user)")
    );
    assert!(shop.till_prints(&["user", "show", "alice"]).contains("low below 5 pictures (set for this user)"));
    spend(&shop, "d", 2);
    assert_eq!(lines(3)[2], [json!("alice"), json!(4), json!(5)]);
    assert!(shop.till_prints(&["user", "low-balance", "alice", "default"]).contains("below 7 pictures (the default)"));
    assert_eq!(deliveries(&shop, &[]), Vec::<Value>::new());
}

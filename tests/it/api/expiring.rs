//! `units.expiring` of a user, and the message `user.units_expiring`.

use serde_json::{Value, json};
use till::clock::{Clock, DAY_SECONDS, rfc3339};

use crate::harness::{Receiver, Shop};

fn in_days(days: i64) -> String {
    rfc3339(Clock::System.now().plus_seconds(days * DAY_SECONDS))
}

fn grant(shop: &Shop, key: &str, units: i64, expires_at: Option<&str>) {
    let mut body = json!({"units": units, "note": "n"});
    if let Some(at) = expires_at {
        body["expires_at"] = json!(at);
    }
    shop.api.call_once("/v1/users/alice/grants", key, &body).must(201);
}

fn expiring(shop: &Shop) -> Value {
    let listed = shop.api.get("/v1/users").must(200).json()["data"][0]["units"]["expiring"].clone();
    let shown = shop.api.get("/v1/users/alice").must(200).json()["units"]["expiring"].clone();
    assert_eq!(listed, shown);
    shown
}

#[test]
fn a_user_shows_what_expires_and_when_the_soonest_first() {
    let shop = Shop::open();
    shop.user("alice");
    assert_eq!(expiring(&shop), json!([]));
    let (soon, later) = (in_days(10), in_days(20));
    grant(&shop, "stays", 7, None);
    assert_eq!(expiring(&shop), json!([]));
    grant(&shop, "later", 30, Some(&later));
    grant(&shop, "soon", 10, Some(&soon));
    grant(&shop, "soon too", 5, Some(&soon));
    let both = |units: i64| json!([{"units": units, "at": soon}, {"units": 30, "at": later}]);
    assert_eq!(expiring(&shop), both(15));
    shop.api.call_once("/v1/users/alice/spends", "s", &json!({"units": 3})).must(201);
    assert_eq!(expiring(&shop), both(12), "the soonest is used first");
    // What is held does not expire while it is held.
    let hold = shop.api.call_once("/v1/users/alice/holds", "h", &json!({"units": 4})).must(201).json();
    assert_eq!(expiring(&shop), both(8));
    let release = format!("/v1/holds/{}/release", hold["id"].as_str().unwrap());
    shop.api.call("POST", &release, &json!({})).must(200);
    assert_eq!(expiring(&shop), both(12));
    shop.api.call_once("/v1/users/alice/spends", "t", &json!({"units": 12})).must(201);
    assert_eq!(expiring(&shop), json!([{"units": 30, "at": later}]));
    shop.verify_books();
}

#[test]
fn units_that_expire_within_a_week_are_notified_once() {
    let receiver = Receiver::start();
    let shop = Shop::open_with(&[("SPRITE_HOOK_PRIVATE_NETWORKS", "127.0.0.0/8,::1/128")]);
    shop.user("alice");
    let (soon, sooner, later) = (in_days(6), in_days(2), in_days(8));
    grant(&shop, "soon", 40, Some(&soon));
    grant(&shop, "later", 30, Some(&later));
    grant(&shop, "stays", 5, None);
    shop.till_prints(&["hook", "add", &receiver.url(), "--events", "user.units_expiring"]);
    let data = |count: usize| -> Vec<Value> {
        receiver.wait_for(count).iter().map(|got| got.json()["data"].clone()).collect()
    };
    assert_eq!(data(1), [json!({"user_id": "alice", "units": 40, "at": soon})]);
    grant(&shop, "used", 3, Some(&sooner));
    grant(&shop, "sooner", 2, Some(&sooner));
    let all = data(2);
    assert_eq!(all.len(), 2, "once each, and none of what lives longer: {all:?}");
    assert_eq!(all[1]["at"], sooner);
    shop.verify_books();
}

#[test]
fn lots_of_which_everything_is_held_keep_no_others_from_being_notified() {
    /// More than are looked at in one round.
    const HELD: usize = 101;
    let receiver = Receiver::start();
    let shop = Shop::open_with(&[("SPRITE_HOOK_PRIVATE_NETWORKS", "127.0.0.0/8,::1/128")]);
    let (sooner, soon) = (in_days(2), in_days(3));
    let give = |user: &str, at: &str| {
        shop.user(user);
        let body = json!({"units": 5, "note": "n", "expires_at": at});
        shop.api.call_once(&format!("/v1/users/{user}/grants"), "g", &body).must(201);
    };
    for number in 0..HELD {
        let user = format!("holder_{number}");
        give(&user, &sooner);
        let hold = json!({"units": 5, "expires_in": 86_400});
        shop.api.call_once(&format!("/v1/users/{user}/holds"), "h", &hold).must(201);
    }
    give("alice", &soon);
    // A notification counts the free units, and not the held ones.
    let more = json!({"units": 5, "note": "n", "expires_at": sooner});
    shop.api.call_once("/v1/users/holder_0/grants", "more", &more).must(201);
    shop.till_prints(&["hook", "add", &receiver.url(), "--events", "user.units_expiring"]);
    let mut told: Vec<Value> = receiver.wait_for(2).iter().map(|got| got.json()["data"].clone()).collect();
    told.sort_by_key(|data| data["user_id"].to_string());
    let expected = [("alice", &soon), ("holder_0", &sooner)];
    assert_eq!(told, expected.map(|(user, at)| json!({"user_id": user, "units": 5, "at": at})));
}

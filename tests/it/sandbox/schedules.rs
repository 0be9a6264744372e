//! A change that waits for the end of the period: the portal's conditions, and the schedule that they make.

use serde_json::{Value, json};

use super::fixture::{Fixture, id};

const PRO: &str = "currency=usd&unit_amount=2900&recurring[interval]=month&product_data[name]=Pro";

struct Subscriber {
    fixture: Fixture,
    pro: String,
    plan: String,
    page: String,
}

impl Subscriber {
    /// Subscribed to Pro, at the portal of the default configuration.
    fn new() -> Subscriber {
        let fixture = Fixture::new();
        let pro = id(&fixture.ok("POST", "/v1/prices", PRO));
        let session = format!(
            "mode=subscription&line_items[0][price]={pro}&line_items[0][quantity]=1&success_url=https://shop.test/"
        );
        let session = id(&fixture.ok("POST", "/v1/checkout/sessions", &session));
        assert_eq!(fixture.pay(&session, "card=4242424242424242").status, 303);
        let paid = fixture.session(&session);
        let form = format!("customer={}", paid["customer"].as_str().expect("a customer"));
        let portal = fixture.ok("POST", "/v1/billing_portal/sessions", &form);
        let page = portal["url"].as_str().and_then(|url| url.strip_prefix(&fixture.sandbox.url())).expect("a page");
        let plan = paid["subscription"].as_str().expect("a subscription").to_owned();
        Subscriber { pro, plan, page: page.to_owned(), fixture }
    }

    fn press(&self, form: &str) -> Value {
        let form = format!("{form}&subscription={}", self.plan);
        let answer = self.fixture.page("POST", &self.page, &form);
        assert_eq!(answer.status, 303, "{form}: {}", answer.text);
        self.subscription()
    }

    fn subscription(&self) -> Value {
        self.fixture.ok("GET", &format!("/v1/subscriptions/{}", self.plan), "expand[]=schedule")
    }

    fn price(&self) -> String {
        self.subscription()["items"]["data"][0]["price"]["id"].as_str().expect("a price").to_owned()
    }
}

#[test]
fn a_downgrade_waits_for_the_end_of_the_period_and_an_upgrade_does_not() {
    let subscriber = Subscriber::new();
    let fixture = &subscriber.fixture;
    let before = subscriber.subscription();
    let end = before["items"]["data"][0]["current_period_end"].clone();
    assert_eq!(before["schedule"], Value::Null);
    let waiting = subscriber.press("action=change&price=price_month");
    let schedule = &waiting["schedule"];
    assert_eq!(subscriber.price(), subscriber.pro, "the plan stays until then");
    assert_eq!((&schedule["status"], &schedule["subscription"]), (&json!("active"), &json!(subscriber.plan)));
    assert_eq!(schedule["phases"][1]["start_date"], end);
    assert_eq!(schedule["phases"][1]["items"][0]["price"], "price_month");
    let path = format!("/v1/subscription_schedules/{}", id(schedule));
    assert_eq!(fixture.get(&path), *schedule);
    assert_eq!(fixture.get("/v1/subscription_schedules")["data"][0], *schedule);
    assert!(fixture.page("GET", &subscriber.page, "").text.contains("From then on it is <strong>100 pictures"));

    fixture.control("clock/advance", "by=month");
    assert_eq!(subscriber.price(), "price_month");
    let paid = ["subscription_create paid 2900 2900 2900", "subscription_cycle paid 900 900 900"];
    assert_eq!(fixture.invoices(&subscriber.plan), paid, "no proration");
    let current = &fixture.get(&path)["current_phase"];
    assert_eq!(current["start_date"], end);
    fixture.control("clock/advance", "by=month");
    let released = fixture.get(&path);
    assert_eq!(
        (&released["status"], &released["released_subscription"]),
        (&json!("released"), &json!(subscriber.plan))
    );
    assert_eq!(subscriber.subscription()["schedule"], Value::Null);
    assert_eq!(
        fixture.event_types("subscription_schedule."),
        ["subscription_schedule.created", "subscription_schedule.updated", "subscription_schedule.released"]
    );
    let event = fixture.ok("GET", "/v1/events", "type=customer.subscription.updated&limit=100");
    let told = |field: &str| {
        let rows = event["data"].as_array().expect("events").iter();
        rows.filter(|row| row["data"]["previous_attributes"].get(field).is_some()).count()
    };
    assert!(told("schedule") == 2 && told("items") == 2, "{event}");

    subscriber.press(&format!("action=change&price={}", subscriber.pro));
    assert_eq!((subscriber.price(), &subscriber.subscription()["schedule"]), (subscriber.pro.clone(), &Value::Null));
}

#[test]
fn what_waits_is_given_up_by_keeping_upgrading_cancelling_or_releasing() {
    for step in ["keep", "upgrade", "cancel", "release", "delete"] {
        let subscriber = Subscriber::new();
        let fixture = &subscriber.fixture;
        let form = "currency=usd&unit_amount=9900&recurring[interval]=month&product_data[name]=Max";
        let max = id(&fixture.ok("POST", "/v1/prices", form));
        let path = format!(
            "/v1/subscription_schedules/{}",
            id(&subscriber.press("action=change&price=price_month")["schedule"])
        );
        match step {
            "keep" => drop(subscriber.press("action=keep")),
            "upgrade" => drop(subscriber.press(&format!("action=change&price={max}"))),
            "cancel" => drop(subscriber.press("action=cancel")),
            "release" => drop(fixture.ok("POST", &format!("{path}/release"), "")),
            _ => drop(fixture.ok("DELETE", &format!("/v1/subscriptions/{}", subscriber.plan), "")),
        }
        let ended = if step == "delete" { "canceled" } else { "released" };
        assert_eq!(
            (&fixture.get(&path)["status"], &subscriber.subscription()["schedule"]),
            (&json!(ended), &Value::Null),
            "{step}"
        );
        fixture.control("clock/advance", "by=month");
        let expected = if step == "upgrade" { &max } else { &subscriber.pro };
        assert_eq!(subscriber.price(), *expected, "{step}");
        assert_eq!(fixture.error("POST", &format!("{path}/release"), "").0, 400);
    }
}

#[test]
fn without_conditions_every_change_is_made_at_once_and_a_shorter_interval_is_one() {
    let subscriber = Subscriber::new();
    let fixture = &subscriber.fixture;
    let base = "features[subscription_update][enabled]=true&features[subscription_update][default_allowed_updates][]=price\
                &features[subscription_update][proration_behavior]=none";
    let conditions = "features[subscription_update][schedule_at_period_end][conditions]";
    let configurations = "/v1/billing_portal/configurations";
    let plain = fixture.ok("POST", configurations, base);
    assert_eq!(plain["features"]["subscription_update"]["schedule_at_period_end"]["conditions"], json!([]));
    let shorter = fixture.ok("POST", configurations, &format!("{base}&{conditions}[0][type]=shortening_interval"));
    let customer = subscriber.subscription()["customer"].as_str().expect("a customer").to_owned();
    let weekly = "currency=usd&unit_amount=3900&recurring[interval]=week&product_data[name]=Weekly";
    let weekly = id(&fixture.ok("POST", "/v1/prices", weekly));
    let open = |configuration: &Value| {
        let form = format!("customer={customer}&configuration={}", id(configuration));
        let portal = fixture.ok("POST", "/v1/billing_portal/sessions", &form);
        portal["url"].as_str().and_then(|url| url.strip_prefix(&fixture.sandbox.url())).expect("a page").to_owned()
    };
    let press = |page: &str, price: &str| {
        let form = format!("action=change&subscription={}&price={price}", subscriber.plan);
        assert_eq!(fixture.page("POST", page, &form).status, 303);
        subscriber.price()
    };
    let page = open(&shorter);
    assert_eq!(press(&page, &weekly), subscriber.pro, "a shorter interval waits");
    assert_eq!(press(&open(&plain), "price_month"), "price_month", "nothing waits");
    assert_eq!(press(&page, &subscriber.pro), subscriber.pro);
    assert_eq!(press(&page, "price_month"), "price_month", "a lower amount alone does not wait here");
}

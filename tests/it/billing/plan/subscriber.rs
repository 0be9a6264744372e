//! A user with a plan, and what happens to it at Stripe; with a count of what was bought that does not use the rules of
//! the program.

use serde_json::{Value, json};

use crate::harness::shop::GOOD_CARD;
use crate::harness::{Client, Shop, eventually};

/// `alice` in a shop of her own.
pub struct Subscriber {
    pub shop: Shop,
    /// `sub_…`.
    pub plan: String,
    /// `cus_…`.
    pub customer: String,
}

impl Subscriber {
    /// Subscribed to the starter plan at the checkout, with its first units.
    pub fn begin() -> Subscriber {
        let shop = Shop::open();
        shop.user("alice");
        let (id, checkout) = shop.checkout("alice", "starter");
        shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
        shop.wait_for_units("alice", 100);
        let session = shop.ask_stripe("GET", &format!("/v1/checkout/sessions/{id}"));
        let text = |field: &str| session[field].as_str().unwrap().to_owned();
        let subscriber = Subscriber { plan: text("subscription"), customer: text("customer"), shop };
        subscriber.is_told();
        subscriber
    }

    /// Known at Stripe, without a plan.
    pub fn stranger() -> Subscriber {
        let shop = Shop::open();
        shop.user("alice");
        let (id, _) = shop.checkout("alice", "topup_100");
        let session = shop.ask_stripe("GET", &format!("/v1/checkout/sessions/{id}"));
        let customer = session["customer"].as_str().unwrap().to_owned();
        Subscriber { plan: String::new(), customer, shop }
    }

    /// A call of Stripe's API that is granted; the form as it is sent.
    #[track_caller]
    pub fn post(&self, path: &str, form: &str) -> Value {
        self.ask("POST", path, form)
    }

    #[track_caller]
    pub fn ask(&self, method: &str, path: &str, form: &str) -> Value {
        let client = Client::new(&self.shop.stripe.url(), &[("authorization", "Bearer sk_test_stories")]);
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        client.send(method, path, &headers, form.as_bytes()).must(200).json()
    }

    /// Starts a subscription at Stripe, past the checkout.
    #[track_caller]
    pub fn subscribe(&self, form: &str) -> Value {
        let customer = &self.customer;
        self.post("/v1/subscriptions", &format!("customer={customer}&{form}"))
    }

    /// Changes the plan.
    #[track_caller]
    pub fn change(&self, form: &str) -> Value {
        self.post(&format!("/v1/subscriptions/{}", self.plan), form)
    }

    /// Moves the plan to another price.
    #[track_caller]
    pub fn move_to(&self, price: &str, more: &str) {
        let item = self.shop.ask_stripe("GET", &format!("/v1/subscriptions/{}", self.plan))["items"]["data"][0].clone();
        let item = item["id"].as_str().unwrap();
        self.change(&format!("items[0][id]={item}&items[0][price]={price}&{more}"));
        self.is_told();
    }

    /// From now on the card is taken and fails whenever it is charged.
    pub fn card_fails(&self) {
        self.change("default_payment_method=pm_card_chargeCustomerFail");
    }

    /// Puts Stripe's clock ahead, and waits until all that happened is told.
    pub fn advance(&self, by: &str, times: &str) {
        self.shop.stripe_control("clock/advance", &[("by", by), ("times", times)]);
        self.is_told();
    }

    /// Waits until every webhook was confirmed: then what it says is in the books.
    pub fn is_told(&self) {
        let is_delivered = |row: &Value| row["progress"] == "delivered";
        eventually("all webhooks", || self.shop.deliveries().iter().all(is_delivered).then_some(()));
    }

    /// What is left, once all is told.
    pub fn remaining(&self) -> i64 {
        self.is_told();
        self.shop.remaining("alice")
    }

    /// The user's plan, and the status of the subscription behind it.
    pub fn shown(&self) -> (String, String) {
        self.is_told();
        let alice = self.shop.api.get("/v1/users/alice").must(200).json();
        let text = |value: &Value| value.as_str().unwrap_or("none").to_owned();
        (text(&alice["plan"]), text(&alice["subscription"]["status"]))
    }

    /// Waits until plan and status are these: where two events are of one second, the timer asks Stripe.
    #[track_caller]
    pub fn shows(&self, plan: &str, status: &str) {
        eventually(&format!("{plan}, {status}"), || {
            (self.shown() == (plan.to_owned(), status.to_owned())).then_some(())
        });
    }

    /// The newest invoice that is not paid.
    pub fn open_invoice(&self) -> String {
        let form = format!("/v1/invoices?customer={}&status=open", self.customer);
        let open = self.shop.ask_stripe("GET", &form);
        open["data"][0]["id"].as_str().unwrap_or_else(|| panic!("no open invoice: {open}")).to_owned()
    }

    /// What the lines of all paid invoices bought, computed in whole numbers over one denominator, and the money that was
    /// paid or credited for it.
    pub fn bought(&self) -> (i64, i64) {
        let invoices =
            self.shop.ask_stripe("GET", &format!("/v1/invoices?customer={}&status=paid&limit=100", self.customer));
        let (mut units, mut money) = (0, 0);
        for invoice in invoices["data"].as_array().unwrap() {
            let path = format!("/v1/invoices/{}/lines?limit=100", invoice["id"].as_str().unwrap());
            let lines = self.shop.ask_stripe("GET", &path);
            let of = |price: &str| -> i64 {
                let is_it = |line: &&Value| line["pricing"]["price_details"]["price"] == json!(price);
                let rows = lines["data"].as_array().unwrap().iter().filter(is_it);
                rows.map(|line| line["amount"].as_i64().unwrap()).sum()
            };
            let (starter, pro) = (of("price_starter"), of("price_pro"));
            units += (100 * starter * 2_900 + 500 * pro * 900) / (900 * 2_900);
            money += starter + pro;
        }
        (units, money)
    }
}

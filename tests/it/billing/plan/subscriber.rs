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

    /// What the time on all paid invoices gives, counted without the rules of the program, and the money that was paid or
    /// credited for it. A line that was not billed gives nothing, and each invoice is rounded toward zero.
    pub fn bought(&self) -> (i64, i64) {
        let invoices =
            self.shop.ask_stripe("GET", &format!("/v1/invoices?customer={}&status=paid&limit=100", self.customer));
        let lines_of = |invoice: &Value| {
            let path = format!("/v1/invoices/{}/lines?limit=100", invoice["id"].as_str().unwrap());
            self.shop.ask_stripe("GET", &path)["data"].as_array().unwrap().clone()
        };
        let invoices: Vec<Vec<Value>> = invoices["data"].as_array().unwrap().iter().map(lines_of).collect();
        let whole: Vec<(i64, i64)> =
            invoices.iter().flatten().filter(|line| !is_proration(line)).map(period_of).collect();
        let (mut units, mut money) = (0, 0);
        for lines in &invoices {
            let (mut above, mut below) = (0_i128, 1_i128);
            for line in lines {
                let each = match line["pricing"]["price_details"]["price"].as_str() {
                    Some("price_starter") => 100,
                    Some("price_pro") => 500,
                    _ => continue,
                };
                let (amount, (from, to)) = (line["amount"].as_i64().unwrap(), period_of(line));
                money += amount;
                let (part, period) = match is_proration(line) {
                    true => {
                        let (starts, ends) = whole.iter().find(|(_, ends)| *ends == to).expect("a whole line before");
                        (to - from, ends - starts)
                    }
                    false => (1, 1),
                };
                let given = i128::from(part) * i128::from(amount.signum() * each * line["quantity"].as_i64().unwrap());
                above = above * i128::from(period) + given * below;
                below *= i128::from(period);
            }
            units += i64::try_from(above / below).unwrap();
        }
        (units, money)
    }
}

fn is_proration(line: &Value) -> bool {
    let parent = &line["parent"];
    parent["invoice_item_details"]["proration"] == json!(true)
        || parent["subscription_item_details"]["proration"] == json!(true)
}

fn period_of(line: &Value) -> (i64, i64) {
    (line["period"]["start"].as_i64().unwrap(), line["period"]["end"].as_i64().unwrap())
}

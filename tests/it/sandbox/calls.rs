//! Every call of the API: what it answers, and what it refuses.

use super::fixture::{BUY, Fixture, id, stripe_api};

/// Objects of each kind, by their paths or ids.
struct Objects {
    customer: String,
    product: String,
    price: String,
    coupon: String,
    promotion: String,
    endpoint: String,
    plan: String,
    guest: String,
    by_debit: String,
    intent: String,
}

fn make_objects(fixture: &Fixture) -> Objects {
    let customer = id(&fixture.ok("POST", "/v1/customers", "email=a@example.org&name=Alice&metadata[user_id]=alice"));
    let product = id(&fixture.ok("POST", "/v1/products", "name=Pictures&metadata[a]=b"));
    let price = format!("currency=usd&unit_amount=2000&product={product}&lookup_key=topup_250");
    let price = id(&fixture.ok("POST", "/v1/prices", &price));
    let coupon = id(&fixture.ok("POST", "/v1/coupons", "percent_off=12.5&duration=once"));
    let promotion = format!("promotion[type]=coupon&promotion[coupon]={coupon}&code=EIGHTH");
    let promotion = id(&fixture.ok("POST", "/v1/promotion_codes", &promotion));
    let endpoint = "url=http://127.0.0.1:1/&enabled_events[]=coupon.created";
    let endpoint = format!("/v1/webhook_endpoints/{}", id(&fixture.ok("POST", "/v1/webhook_endpoints", endpoint)));
    let sessions = "/v1/checkout/sessions";
    let plan =
        "mode=subscription&line_items[0][price]=price_month&line_items[0][quantity]=1&success_url=https://shop.test/";
    let plan = id(&fixture.ok("POST", sessions, plan));
    let guest = "mode=payment&success_url=https://shop.test/&line_items[0][quantity]=1\
                 &line_items[0][price_data][currency]=eur&line_items[0][price_data][unit_amount]=700\
                 &line_items[0][price_data][product_data][name]=Seven\
                 &customer_creation=always&customer_email=b@example.org";
    let guest = id(&fixture.ok("POST", sessions, guest));
    assert_eq!(fixture.pay(&guest, "card=4000000000000002").status, 402);
    assert_eq!(fixture.pay(&guest, "card=4242424242424242").status, 303);
    let (by_debit, failing) = (fixture.new_session(""), fixture.new_session(&format!("&customer={customer}")));
    for (id, step) in [(&by_debit, "settle"), (&failing, "fail")] {
        assert_eq!(fixture.pay(id, "method=bank_debit").status, 303);
        assert_eq!(fixture.session(id)["payment_status"], "unpaid");
        fixture.control(&format!("sessions/{id}/{step}"), "");
    }
    let intent = fixture.session(&by_debit)["payment_intent"].as_str().expect("an id").to_owned();
    let customer = format!("/v1/customers/{customer}");
    Objects { customer, product, price, coupon, promotion, endpoint, plan, guest, by_debit, intent }
}

#[test]
fn every_call_answers_as_stripe_may() {
    let Some(api) = stripe_api() else {
        println!("left out: stripe/openapi.json.gz is not on this machine");
        return;
    };
    let fixture = Fixture::new();
    let Objects { customer, product, price, coupon, promotion, endpoint, plan, guest, by_debit, intent } =
        make_objects(&fixture);
    for (method, path, form) in [
        ("GET", "/v1/charges", ""),
        ("GET", "/v1/payment_intents", ""),
        ("GET", "/v1/account", ""),
        ("GET", "/v1/customers", "email=a@example.org&limit=3"),
        ("GET", &customer, ""),
        ("POST", &customer, "name=&metadata[user_id]=&metadata[x]=y&expand[]=discount"),
        ("GET", &format!("/v1/products/{product}"), ""),
        ("POST", &format!("/v1/products/{product}"), &format!("default_price={price}&active=true")),
        ("GET", "/v1/products", "active=true&expand[]=data.default_price"),
        ("GET", "/v1/prices", "lookup_keys[]=topup_250&active=true&type=one_time&expand[]=data.product"),
        ("GET", &format!("/v1/prices/{price}"), "expand[]=product"),
        ("POST", &format!("/v1/prices/{price}"), "nickname=big"),
        ("GET", "/v1/coupons", ""),
        ("GET", &format!("/v1/coupons/{coupon}"), ""),
        ("GET", "/v1/promotion_codes", "code=EIGHTH&active=true"),
        ("GET", &format!("/v1/promotion_codes/{promotion}"), "expand[]=promotion.coupon"),
        ("POST", &format!("/v1/promotion_codes/{promotion}"), "active=false"),
        ("GET", "/v1/webhook_endpoints", ""),
        ("GET", &endpoint, ""),
        ("POST", &endpoint, "disabled=true&enabled_events[]=*"),
        ("DELETE", &endpoint, ""),
        ("GET", "/v1/checkout/sessions", "status=complete&created[gte]=1&expand[]=data.payment_intent.latest_charge"),
        ("GET", &format!("/v1/checkout/sessions/{guest}"), "expand[]=line_items.data.price.product&expand[]=customer"),
        ("GET", &format!("/v1/checkout/sessions/{by_debit}/line_items"), "limit=1"),
        ("POST", &format!("/v1/checkout/sessions/{plan}"), "metadata[a]=b"),
        ("POST", &format!("/v1/checkout/sessions/{plan}/expire"), "expand[]=line_items"),
        ("GET", &format!("/v1/payment_intents/{intent}"), "expand[]=latest_charge"),
        ("GET", "/v1/charges", &format!("payment_intent={intent}")),
        ("DELETE", &customer, ""),
        ("GET", &customer, ""),
        ("DELETE", &format!("/v1/coupons/{coupon}"), ""),
    ] {
        fixture.ok(method, path, form);
    }
    let events = fixture.ok("GET", "/v1/events", "limit=100");
    let events = events["data"].as_array().expect("a list");
    for event in events {
        let object = &event["data"]["object"];
        api.check_object(object["object"].as_str().expect("an object"), object)
            .unwrap_or_else(|fault| panic!("{}: {fault}", event["type"]));
    }
}

#[test]
fn every_step_of_a_payment_has_its_event() {
    let fixture = Fixture::new();
    let made = make_objects(&fixture);
    fixture.ok("POST", &made.customer, "name=Bob");
    fixture.ok("POST", &format!("/v1/checkout/sessions/{}/expire", made.plan), "");
    fixture.ok("DELETE", &made.customer, "");
    let events = fixture.ok("GET", "/v1/events", "limit=100");
    let events = events["data"].as_array().expect("a list");
    let types: Vec<&str> = events.iter().filter_map(|event| event["type"].as_str()).collect();
    for kind in [
        "charge.failed",
        "charge.pending",
        "charge.succeeded",
        "checkout.session.async_payment_failed",
        "checkout.session.async_payment_succeeded",
        "checkout.session.completed",
        "checkout.session.expired",
        "customer.created",
        "customer.deleted",
        "customer.updated",
        "payment_intent.created",
        "payment_intent.payment_failed",
        "payment_intent.processing",
        "payment_intent.succeeded",
    ] {
        assert!(types.contains(&kind), "no {kind} in {types:?}");
    }
}

#[test]
fn what_stripe_refuses_is_refused_in_its_words() {
    let fixture = Fixture::new();
    let sessions = "/v1/checkout/sessions";
    let with = |more: &str| format!("{BUY}{more}");
    for (method, path, form, status, code, param) in [
        ("POST", sessions, with("&colour=red"), 400, "parameter_unknown", "colour"),
        ("POST", sessions, with("&line_items[0][size]=1"), 400, "parameter_unknown", "line_items[0][size]"),
        ("POST", sessions, with("&custom_fields[0][key]=colour"), 400, "stand_in_not_built", "custom_fields[0][key]"),
        ("POST", sessions, "mode=payment".to_owned(), 400, "parameter_missing", "success_url"),
        ("POST", sessions, "success_url=https://shop.test/".to_owned(), 400, "parameter_missing", "mode"),
        (
            "POST",
            sessions,
            with("&line_items[1][price]=price_100"),
            400,
            "parameter_missing",
            "line_items[1][quantity]",
        ),
        ("POST", sessions, with("&line_items[0][price]=price_no"), 400, "resource_missing", "line_items[0][price]"),
        ("POST", sessions, with("&line_items[0][price]=price_month"), 400, "", "line_items[0]"),
        ("POST", sessions, with("&customer=cus_no"), 400, "resource_missing", "customer"),
        ("POST", sessions, with("&customer=&x=1"), 400, "parameter_invalid_empty", "customer"),
        ("POST", sessions, with("&expires_at=1790001000"), 400, "", "expires_at"),
        ("POST", sessions, with("&expires_at=1790090000"), 400, "", "expires_at"),
        ("POST", sessions, with("&discounts[0][coupon]=FREE100"), 400, "", "discounts"),
        ("POST", sessions, with("&subscription_data[metadata][a]=b"), 400, "", "subscription_data"),
        ("POST", "/v1/products", String::new(), 400, "parameter_missing", "name"),
        ("POST", "/v1/customers", "email=nobody".to_owned(), 400, "email_invalid", "email"),
        ("GET", "/v1/customers/cus_no", String::new(), 404, "resource_missing", "id"),
        ("GET", "/v1/checkout/sessions/cs_no", String::new(), 404, "resource_missing", "session"),
        ("GET", "/v1/payment_intents/pi_no", String::new(), 404, "resource_missing", "intent"),
        ("GET", "/v1/prices/price_100", "expand[]=colour".to_owned(), 400, "", "expand"),
        ("GET", "/v1/events", "limit=101".to_owned(), 400, "parameter_invalid_integer", "limit"),
        ("GET", "/v1/nothing", String::new(), 404, "", ""),
        ("GET", "/v1/customers/search", "query=x".to_owned(), 400, "stand_in_not_built", ""),
        ("GET", "/v1/subscriptions/search", String::new(), 400, "stand_in_not_built", ""),
        ("GET", "/v1/invoices/upcoming", String::new(), 400, "stand_in_not_built", ""),
        ("DELETE", sessions, String::new(), 404, "", ""),
    ] {
        let answer = fixture.call(method, path, &form, None);
        let error = &answer.json()["error"];
        let word = |field: &str| error[field].as_str().unwrap_or_default().to_owned();
        assert_eq!(
            (answer.status, word("code"), word("param")),
            (status, code.into(), param.into()),
            "{path} {form}: {error}"
        );
        assert_eq!(word("type"), "invalid_request_error");
    }
    for (key, expected) in
        [("", "You did not provide"), ("Bearer sk_live_1", "This is a stand-in"), ("Bearer x", "Invalid API Key")]
    {
        let answer = fixture.send("GET", "/v1/account", "", &[("Authorization", key)]).expect("an answer");
        let message = answer.json()["error"]["message"].as_str().expect("a message").to_owned();
        assert!(answer.status == 401 && message.starts_with(expected), "{key}: {message}");
    }
    let answer = fixture.call("GET", "/v1/account", "", None);
    assert!(answer.header("request-id").starts_with("req_"));
    assert_eq!(answer.header("stripe-version"), "2026-05-27.dahlia");
}

//! The operator's lists: by pages, by search, with ids of every kind.

use serde_json::{Value, json};

use super::{operator_of, shop_with_operator, words};
use crate::harness::shop::{CATALOG, GOOD_CARD};
use crate::harness::wait::eventually;
use crate::harness::webhook::event;
use crate::harness::{Answer, Client, Shop};

/// The addresses below `prefix` that a page leads to.
fn links(page: &Answer, prefix: &str) -> Vec<String> {
    let links = page.body.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    let mut found: Vec<String> =
        links.filter(|link| link.starts_with(prefix)).map(|link| link.replace("&#38;", "&")).collect();
    found.dedup();
    found
}

/// All addresses on this list, page after page.
fn all(operator: &Client, path: &str, prefix: &str) -> Vec<String> {
    let (mut found, mut next) = (vec![], Some(path.to_owned()));
    while let Some(path) = next {
        let page = operator.get(&path).must(200);
        found.extend(links(&page, prefix));
        next = links(&page, "/admin/").into_iter().find(|link| link.contains("before="));
        assert!(found.len() < 1000, "the list ends");
    }
    found
}

#[test]
fn a_list_is_read_page_by_page_and_skips_nothing() {
    let (shop, operator) = shop_with_operator();
    for number in 0..120 {
        shop.user(&format!("user-{number}"));
        if number < 60 {
            let object = json!({"id": format!("prod_{number}"), "object": "product"});
            shop.webhook(&event("product.created", &object)).must(200);
        }
    }
    let users = all(&operator, "/admin/users", "/admin/users/");
    assert_eq!(users.len(), 121);
    assert_eq!((users[0].as_str(), users[120].as_str()), ("/admin/users/user-119", "/admin/users/olga"));
    assert_eq!(all(&operator, "/admin/events", "/admin/events/evt").len(), 60);
    assert_eq!(all(&operator, "/admin/events?status=ignored", "/admin/events/evt").len(), 60);
    assert_eq!(all(&operator, "/admin/events?status=failed", "/admin/events/evt").len(), 0);
    // A user's making, the operator's, and the sign-in are rows of the audit.
    let times = |path: &str| {
        let (mut rows, mut next) = (0, Some(path.to_owned()));
        while let Some(path) = next {
            let page = operator.get(&path).must(200);
            rows += page.body.matches("<time").count();
            next = links(&page, "/admin/").into_iter().find(|link| link.contains("before="));
        }
        rows
    };
    assert_eq!(times("/admin/audit?action=user_added"), 121);
    for number in 0..70 {
        let key = format!("k{number}");
        shop.api.call_once("/v1/users/user-0/grants", &key, &json!({"units": 1, "note": "x"})).must(201);
    }
    assert_eq!(times("/admin/users/user-0/ledger"), 70);
    for path in ["/admin/users?before=x", "/admin/events?before=x", "/admin/payments?before=x", "/admin/audit?before=x"]
    {
        operator.get(path).must(400);
    }
    operator.get("/admin/messages?before=x").must(400);
    operator.get("/admin/events?status=nothing").must(400);
}

#[test]
fn a_dispute_is_to_be_done_until_it_is_closed_and_nothing_is_refundable_meanwhile() {
    let (shop, operator) = shop_with_operator();
    let shown = |path: &str| words(&operator.get(path).must(200));
    let mut intents = vec![];
    for user in ["alice", "bob"] {
        shop.user(user);
        shop.pay(&shop.checkout(user, "topup_100").1, &[("card", GOOD_CARD)]).must(303);
        shop.wait_for_units(user, 100);
        intents.push(links(&operator.get("/admin/payments").must(200), "/admin/payments/pi_")[0].clone());
    }
    assert!(shown("/admin").contains("To do Nothing") && shown("/admin/payments?disputed").contains("No dispute is"));
    let dispute = |place: usize, user: &str| {
        let intent = intents[place].strip_prefix("/admin/payments/").unwrap();
        shop.stripe_control(&format!("charges/{intent}/dispute"), &[]);
        shop.wait_for_units(user, 0);
        shop.ask_stripe("GET", "/v1/disputes?limit=1")["data"][0]["id"].as_str().unwrap().to_owned()
    };
    let won = dispute(0, "alice");
    let overview = operator.get("/admin").must(200);
    assert!(words(&overview).contains("1 dispute is not closed"), "{}", words(&overview));
    assert_eq!(links(&overview, "/admin/payments?"), ["/admin/payments?disputed"]);
    let listed = operator.get("/admin/payments?disputed").must(200);
    assert_eq!(links(&listed, "/admin/payments/pi_"), intents[..1]);
    assert!(words(&listed).contains("Disputed: answer it at Stripe"), "{}", words(&listed));
    assert!(shown(&intents[0]).contains("Refundable –"), "{}", shown(&intents[0]));
    let told: Value = serde_json::from_str(&shop.till_prints(&["user", "show", "alice", "--json"])).unwrap();
    assert_eq!((&told["payments"][0]["refundable"], &told["payments"][0]["dispute"]), (&json!(0), &json!("open")));
    let status = shop.till_prints(&["status"]);
    assert!(status.contains("warn: ") && status.contains("disputes; till check says more"), "{status}");

    shop.stripe_control(&format!("disputes/{won}/won"), &[]);
    shop.wait_for_units("alice", 100);
    eventually("the end of the dispute", || shown("/admin").contains("To do Nothing").then_some(()));
    assert!(shown(&intents[0]).contains("Refundable $9.00"), "{}", shown(&intents[0]));
    let lost = dispute(1, "bob");
    shop.ask_stripe("POST", &format!("/v1/disputes/{lost}/close"));
    eventually("the end of the other", || shown("/admin").contains("To do Nothing").then_some(()));
    let one = shown(&intents[1]);
    assert!(one.contains("Disputed, and lost") && one.contains("Refundable –"), "{one}");
}

#[test]
fn people_are_found_by_the_beginning_of_what_somebody_says_of_them() {
    let (shop, operator) = shop_with_operator();
    let odd = ["A.b_c:d@e-f", "...x", "-", "_", "a@b", "0", &"z".repeat(128)];
    for id in odd {
        shop.user(id);
    }
    let ada = json!({"name": "Ada <b>Lovelace</b>", "email": "Ada@Example.org"});
    shop.api.call("PUT", "/v1/users/countess", &ada).must(201);
    for (text, found) in [
        ("count", true),
        ("ada", true),
        ("ADA%20%3Cb", true),
        ("ada%40example", true),
        ("%20countess%20", true),
        ("lovelace", false),
        ("ount", false),
        ("%25", false),
        ("%27%20OR%201%3D1", false),
        ("cus_nothing", false),
    ] {
        let page = operator.get(&format!("/admin/users?q={text}")).must(200);
        assert_eq!(page.body.contains("/admin/users/countess"), found, "{text}: {}", words(&page));
        assert!(!page.body.contains("<b>Love"), "{text}");
    }
    for id in odd {
        let listed = operator.get(&format!("/admin/users?q={}", id.replace('@', "%40"))).must(200);
        let at = links(&listed, "/admin/users/");
        assert!(!at.is_empty(), "{id}");
        let page = operator.get(&at[0]).must(200);
        let grant = format!("{}/grant", at[0]);
        operator.fill(&page, &grant, &[("units", "1"), ("reason", "for an odd name")]).must(303);
        operator.get(&format!("{}/ledger", at[0])).must(200);
        assert_eq!(shop.remaining(&id.replace(':', "%3A").replace('@', "%40")), 1, "{id}");
    }
}

#[test]
fn a_shop_without_sales_and_texts_with_markup_are_shown() {
    let (shop, operator) = shop_with_operator();
    for (path, said) in [
        ("/admin", "Nothing"),
        ("/admin/payments", "Nothing was paid yet."),
        ("/admin/events", "There is no such event."),
        ("/admin/reconciliation", "Nothing was compared yet."),
        ("/admin/messages", "Nothing was sent yet."),
    ] {
        let shown = words(&operator.get(path).must(200));
        assert!(shown.contains(said), "{path}: {shown}");
    }
    let hostile = "<script>alert(1)</script>";
    let object = json!({"id": hostile, "object": hostile, "customer": hostile});
    let told = event(&format!("product.{hostile}"), &object);
    shop.webhook(&told).must(200);
    for path in ["/admin/events".to_owned(), format!("/admin/events/{}", told["id"].as_str().unwrap())] {
        let page = operator.get(&path).must(200);
        assert!(!page.body.contains("<script>alert") && page.body.contains("&#60;script&#62;"), "{path}");
    }
    for path in ["/admin/events/%3Cscript%3E", "/admin/users/%22%3E%3Cb%3E", "/admin/payments/%00", "/admin/tokens/%ff"]
    {
        let page = operator.get(path);
        assert!([400, 404].contains(&page.status), "{path}: {}", page.status);
        assert!(!page.body.contains("<b>") && !page.body.contains("<script>alert"), "{path}");
    }
}

#[test]
fn the_catalogue_says_how_many_subscriptions_a_change_would_touch() {
    let name = "name = \"Starter\"";
    let older = "older_price_ids = [\"price_of_last_year\"]";
    let shop = Shop::open_with_catalog(&CATALOG.replace(name, &format!("{name}\n{older}")));
    let operator = operator_of(&shop);
    let shown = || words(&operator.get("/admin/catalog").must(200));
    let none = shown();
    assert!(
        none.contains("price_starter earlier, and still counted: price_of_last_year Subscriptions 0")
            && !none.contains("runs at a price"),
        "{none}"
    );
    for user in ["alice", "bob"] {
        shop.user(user);
        let checkout = shop.checkout(user, "starter").1;
        shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
        shop.wait_for_units(user, 100);
        shop.wait_for_status(user, "active");
    }
    assert!(shown().contains("price_of_last_year Subscriptions 2"), "{}", shown());
    // Somebody moves bob to a price of which the catalogue does not know.
    let stripe = Client::new(&shop.stripe.url(), &[("authorization", "Bearer sk_test_stories")]);
    let fields = [
        ("currency", "usd"),
        ("unit_amount", "700"),
        ("recurring[interval]", "month"),
        ("product_data[name]", "Special"),
    ];
    let price = stripe.post_form("/v1/prices", &fields).must(200).json()["id"].as_str().unwrap().to_owned();
    let newest = shop.ask_stripe("GET", "/v1/subscriptions?limit=1")["data"][0].clone();
    let (id, item) = (newest["id"].as_str().unwrap(), newest["items"]["data"][0]["id"].as_str().unwrap());
    let fields = [("items[0][id]", item), ("items[0][price]", &price)];
    stripe.post_form(&format!("/v1/subscriptions/{id}"), &fields).must(200);
    eventually("the change", || shown().contains("1 subscription runs at a price").then_some(()));
    assert!(shown().contains("price_of_last_year Subscriptions 1"), "{}", shown());
}

//! What pages say of payments and activity: all of it from the books, as Stripe's events told it.

use serde_json::json;

use crate::harness::shop::{CATALOG, GOOD_CARD};
use crate::harness::{Answer, Client, Shop, eventually};

/// The text of a page.
fn text(page: &Answer) -> String {
    let parts = page.body.split('<').filter_map(|part| part.split_once('>')).map(|(_, text)| text.trim());
    parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Buys and pays; where Stripe leads back to.
fn buy(shop: &Shop, browser: &Client, plan: &str) -> String {
    let checkout = shop.press_buy(browser, plan);
    let back = shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303).header("location").to_owned();
    back.strip_prefix(&shop.till.url).unwrap().to_owned()
}

fn receipts(page: &Answer) -> Vec<String> {
    let links = page.body.split("href=\"/dashboard/receipts/").skip(1);
    links.map(|rest| format!("/dashboard/receipts/{}", rest.split('"').next().unwrap())).collect()
}

#[test]
fn billing_is_whole_while_stripe_is_away() {
    let shop = Shop::open();
    shop.user("alice");
    shop.user("bob");
    let browser = shop.sign_in("alice");
    let page = text(&browser.get("/dashboard").must(200));
    assert!(page.contains("Nothing has been paid yet.") && page.contains("Subscribe to Starter"), "{page}");
    buy(&shop, &browser, "starter");
    shop.wait_for_units("alice", 100);
    buy(&shop, &browser, "topup_250");
    shop.wait_for_units("alice", 350);
    eventually("card and receipts", || (receipts(&browser.get("/dashboard")).len() >= 4).then_some(()));
    shop.stripe_control("faults", &[("path", "/v1"), ("kind", "status:500"), ("times", "1000")]);
    let page = browser.get("/dashboard").must(200);
    let words = text(&page);
    for part in [
        "Plan Starter · $9 a month 100 pictures every month",
        "Subscription Active",
        "Next payment $9.00 on ",
        "Card Visa •••• 4242",
        "Manage or cancel",
        "Change plan",
        "$20.00 paid",
        "$9.00 paid",
    ] {
        assert!(words.contains(part), "{part}: {words}");
    }
    let link = receipts(&page)[0].clone();
    assert!(browser.get(&link).must(303).header("location").starts_with(&shop.stripe.url()));
    shop.sign_in("bob").get(&link).must(404);
    assert_eq!(shop.visitor().get(&link).must(303).header("location"), "/login");

    let explained = text(&browser.get("/dashboard/balance").must(200));
    for part in ["You have 350 pictures.", "Bought: 250 pictures", "Left 250 of 250", "Plan: Starter", "Ends Never"] {
        assert!(explained.contains(part), "{part}: {explained}");
    }
}

#[test]
fn the_page_after_the_checkout_is_a_receipt() {
    let shop = Shop::open();
    shop.user("alice");
    let browser = shop.sign_in("alice");
    let back = buy(&shop, &browser, "topup_100");
    shop.wait_for_units("alice", 100);
    let words = text(&browser.get(&back).must(200));
    for part in ["100 pictures added", "Added 100 pictures", "Paid $9.00", "New balance 100 pictures"] {
        assert!(words.contains(part), "{part}: {words}");
    }
    // Another reader of the address sees nothing of the account.
    assert!(!text(&shop.visitor().get(&back).must(200)).contains("New balance"));
}

#[test]
fn activity_has_pages_a_file_and_statements() {
    let shop = Shop::open();
    shop.user("alice");
    let browser = shop.sign_in("alice");
    let page = text(&browser.get("/dashboard/activity").must(200));
    assert!(page.contains("Nothing has been added or used yet. What you buy and use is listed here."), "{page}");
    shop.give("alice", 1000);
    let hold = shop.api.call_once("/v1/users/alice/holds", "h", &json!({"units": 3})).must(201).json();
    let release = format!("/v1/holds/{}/release", hold["id"].as_str().unwrap());
    shop.api.call_once(&release, "r", &json!({})).must(200);
    let spends = "/v1/users/alice/spends";
    shop.api.call_once(spends, "formula", &json!({"units": 1, "note": "=HYPERLINK(\"x\")"})).must(201);
    for number in 0..60 {
        shop.api.call_once(spends, &format!("s{number}"), &json!({"units": 2})).must(201);
    }
    let first = browser.get("/dashboard/activity").must(200);
    let older = first.body.split("href=\"/dashboard/activity?after=").nth(1).unwrap().split('"').next().unwrap();
    let second = browser.get(&format!("/dashboard/activity?after={older}")).must(200);
    let (first, second) = (text(&first), text(&second));
    assert_eq!(first.matches("Used 2 pictures").count() + second.matches("Used 2 pictures").count(), 60);
    assert!(!first.contains("Nothing charged"), "{first}");
    let given_back = second.split("Set aside and given back: 3 pictures 3 from the gift of ").nth(1).unwrap();
    assert!(given_back.split(" UTC").next().unwrap().contains("Nothing charged"), "{second}");
    assert!(second.contains("Newest activity") && !second.contains("Older activity"), "{second}");
    browser.get("/dashboard/activity?after=ent_x").must(400);

    let file = browser.get("/dashboard/activity.csv").must(200);
    assert!(file.header("content-type").starts_with("text/csv"), "{}", file.header("content-type"));
    assert_eq!(file.body.lines().count(), 63, "titles, a gift, spends: {}", file.body);
    assert!(file.body.contains("\"'=HYPERLINK(\"\"x\"\")\""), "{}", file.body);

    assert_eq!(file.body.matches("2 from the gift of ").count(), 60, "each spend says what it drew on: {}", file.body);

    let month = browser.get("/dashboard/statement").must(200);
    let words = text(&month);
    for part in [
        "2 from the gift of ",
        "Balance at the beginning 0",
        "Added 1,000",
        "Used -121",
        "Balance at the end 879",
        "Nothing was paid in this month.",
    ] {
        assert!(words.contains(part), "{part}: {words}");
    }
    let past = text(&browser.get("/dashboard/statement?month=2020-01").must(200));
    assert!(past.contains("Statement for January 2020") && past.contains("Balance at the end 0"), "{past}");
    for bad in ["2026", "2026-13", "x", "20261-1", "2999-01"] {
        let refused = browser.get(&format!("/dashboard/statement?month={bad}")).must(400).body;
        assert!(refused.contains("written as YYYY-MM, such as 2026-11"), "{bad}: {refused}");
    }
    for path in ["/dashboard/activity", "/dashboard/activity.csv", "/dashboard/statement", "/dashboard/balance"] {
        assert_eq!(shop.visitor().get(path).must(303).header("location"), "/login", "{path}");
    }
}

#[test]
fn the_shops_name_is_on_pages_and_at_stripe_and_questions_have_answers() {
    let shop = Shop::open_with_catalog(
        &CATALOG.replacen("[shop]", "[shop]\nname = \"Fox Pictures\"\nsupport = \"help@example.com\"", 1).replacen(
            "[[pack]]",
            "[[pack]]\nexpiry = 90",
            1,
        ),
    );
    shop.user("alice");
    let pricing = shop.visitor().get("/").must(200);
    let words = text(&pricing);
    for part in [
        "Pictures at Fox Pictures, paid in advance",
        "How long are pictures valid? 100 pictures: valid for 90 days. All others do not expire.",
        "Can I cancel a plan?",
        "What happens with a refund?",
        "Is there an invoice? Yes, for each payment.",
        "Powered by till",
    ] {
        assert!(words.contains(part), "{part}: {words}");
    }
    assert!(
        pricing.body.contains("<meta property=\"og:title\" content=\"Pictures at Fox Pictures, paid in advance\">")
    );
    let browser = shop.sign_in("alice");
    buy(&shop, &browser, "topup_100");
    shop.wait_for_units("alice", 100);
    let charges = shop.ask_stripe("GET", "/v1/payment_intents?limit=1");
    assert_eq!(charges["data"][0]["description"], "Fox Pictures: 100 pictures", "{charges}");
}

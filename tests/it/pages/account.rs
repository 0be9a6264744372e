//! The account page: sessions that their owner sees and ends, a password, tokens, the data, and erasure.

use serde_json::{Value, json};

use crate::harness::webhook::event;
use crate::harness::{Answer, Client, Shop, eventually};

/// What the page's row of another browser holds.
fn number_of_other_session(page: &Answer) -> String {
    let form = page.form("/account/sessions");
    form.into_iter().find(|(name, _)| name == "session").unwrap().1
}

#[test]
fn a_person_sees_their_sessions_and_ends_them_one_by_one_or_all_others() {
    let shop = Shop::open();
    shop.user("alice");
    shop.user("mallory");
    assert_eq!(shop.visitor().get("/account").must(303).header("location"), "/login");
    let (here, there, elsewhere) = (shop.sign_in("alice"), shop.sign_in("alice"), shop.sign_in("alice"));
    let mallory = shop.sign_in("mallory");
    let page = here.get("/account").must(200);
    assert_eq!(page.header("cache-control"), "no-store");
    assert_eq!(page.body.matches("Sign out there").count(), 2, "{}", page.body);
    assert!(page.header("content-security-policy").ends_with("form-action 'self'"), "a password is typed there");

    // Another person's number ends nothing.
    let number = number_of_other_session(&page);
    let theirs = mallory.get("/account").must(200);
    mallory.fill(&theirs, "/account/name", &[("name", "M")]).must(303);
    let fields = theirs.form("/account/name");
    mallory.post_form("/account/sessions", &[(&fields[0].0, &fields[0].1), ("session", &number)]).must(303);
    assert_eq!(here.get("/account").must(200).body.matches("Sign out there").count(), 2);

    here.press(&page, "/account/sessions").must(303);
    let open = [&there, &elsewhere].iter().filter(|browser| browser.get("/v1/me").status == 200).count();
    assert_eq!(open, 1, "one of them is signed out");
    let again = shop.sign_in("alice");
    let page = here.get("/account").must(200);
    here.fill(&page, "/account/sessions", &[("session", "others")]).must(303);
    for browser in [&there, &elsewhere, &again] {
        browser.get("/v1/me").must(401);
    }
    here.get("/v1/me").must(200);
    mallory.get("/v1/me").must(200);
}

#[test]
fn a_stolen_cookie_opens_nothing_after_the_sign_out_and_nothing_private_is_stored() {
    let shop = Shop::open();
    shop.user("alice");
    let browser = shop.sign_in("alice");
    let thief = Client::new(&shop.till.url, &[("cookie", &browser.cookies()), ("accept", "text/html")]);
    // Two tabs of one browser: each form works, also the one that was loaded before.
    let (first, second) = (browser.get("/account").must(200), browser.get("/account").must(200));
    browser.fill(&first, "/account/name", &[("name", "Ada")]).must(303);
    browser.fill(&second, "/account/name", &[("name", "Ada L.")]).must(303);
    for path in ["/account", "/dashboard", "/account/data.json"] {
        assert_eq!(
            thief.get(path).must(200).header("cache-control"),
            "no-store",
            "{path}: the back button shows nothing"
        );
    }
    browser.press(&first, "/logout").must(303);
    for path in ["/account", "/dashboard"] {
        assert_eq!(thief.get(path).must(303).header("location"), "/login", "{path}");
    }
    thief.get("/account/data.json").must(401);
    browser.press(&second, "/account/name").must(401);
}

#[test]
fn no_other_site_and_no_front_end_changes_an_account() {
    let friend = "https://app.example";
    let shop = Shop::open_with(&[("SPRITE_RETURN_ORIGINS", friend)]);
    shop.user("alice");
    let browser = shop.sign_in("alice");
    let page = browser.get("/account").must(200);
    let token = page.form("/account/name")[0].1.clone();
    let json = ("accept", "application/json");
    for path in ["name", "password", "sessions", "tokens", "tokens/revoke", "erase"] {
        let path = format!("/account/{path}");
        for (what, csrf, headers) in [
            ("no token", "", &[("origin", shop.till.url.as_str())][..]),
            ("JSON without a token", "", &[("origin", shop.till.url.as_str()), json]),
            ("a front end", &token, &[("origin", friend)]),
            ("a front end by script", &token, &[("origin", friend), json]),
            ("another site", &token, &[("origin", "https://evil.example")]),
            ("a browser that names nothing", &token, &[]),
            ("cross-site", &token, &[("sec-fetch-site", "cross-site")]),
        ] {
            let body = format!("csrf={csrf}&name=Eve&sure=yes&new=long+enough+to+be+one&session=others");
            let more = [("content-type", "application/x-www-form-urlencoded"), ("cookie", &browser.cookies())];
            let answer = Client::new(&shop.till.url, headers).send("POST", &path, &more, body.as_bytes());
            assert_eq!(answer.status, 403, "{path}, {what}: {}", answer.body);
            assert_eq!(answer.header("access-control-allow-origin"), "", "{path}, {what}");
        }
        assert_eq!(browser.get(&path).must(303).header("location"), "/account");
    }
    assert_eq!(browser.get("/v1/me").must(200).json()["name"], Value::Null);
}

#[test]
fn a_name_is_plain_text_and_a_token_of_ones_own_sees_ones_own_alone() {
    let shop = Shop::open();
    shop.user("alice");
    shop.user("bob");
    let browser = shop.sign_in("alice");
    let page = browser.get("/account").must(200);
    let long = "x".repeat(201);
    for (name, status) in [
        ("عادة \u{1f642}", 303),
        ("<script>alert(1)</script>", 303),
        ("", 400),
        (" ", 400),
        (long.as_str(), 400),
        ("a\u{202e}b", 400),
        ("a\nb", 400),
        ("a\u{0}b", 400),
    ] {
        browser.fill(&page, "/account/name", &[("name", name)]).must(status);
    }
    let csrf = page.form("/account/name")[0].1.clone();
    browser.post_form("/account/name", &[("csrf", &csrf), ("name", "a"), ("name", "b")]).must(400);
    browser.post_form("/account/name", &[("csrf", &csrf), ("name", &"x".repeat(20_000))]).must(413);
    let page = browser.get("/account").must(200);
    assert!(page.body.contains("&#60;script&#62;") && !page.body.contains("<script>alert"), "{}", page.body);

    let made = browser.fill(&page, "/account/tokens", &[("name", "my script")]).must(200);
    let secret = made.body.split("<code class=\"secret\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let program = Client::program(&shop.till.url, &secret);
    assert_eq!(program.get("/v1/users/alice").must(200).json()["id"], "alice");
    program.get("/v1/users/bob").must(403);
    program.call_once("/v1/users/alice/spends", "k", &json!({"units": 1})).must(403);
    let page = browser.get("/account").must(200);
    assert!(!page.body.contains(&secret), "it is shown once");
    // Nobody revokes another's.
    let id = page.form("/account/tokens/revoke").into_iter().find(|(name, _)| name == "token").unwrap().1;
    let bob = shop.sign_in("bob");
    let theirs = bob.get("/account").must(200).form("/account/name")[0].1.clone();
    bob.post_form("/account/tokens/revoke", &[("csrf", &theirs), ("token", &id)]).must(404);
    browser.press(&page, "/account/tokens/revoke").must(303);
    program.get("/v1/users/alice").must(401);
}

#[test]
fn what_is_stored_about_a_person_is_theirs_to_read_and_to_erase() {
    let shop = Shop::open();
    shop.api.call("PUT", "/v1/users/alice", &json!({"name": "Alice", "email": "alice@example.org"})).must(201);
    shop.give("alice", 50);
    let note = json!({"units": 3, "note": "cover for Alice"});
    shop.api.call_once("/v1/users/alice/spends", "k", &note).must(201);
    let browser = shop.sign_in("alice");
    let checkout = shop.press_buy(&browser, "topup_100");
    shop.pay(
        &checkout,
        &[("email", "alice@example.org"), ("name", "Alice Example"), ("card", crate::harness::shop::GOOD_CARD)],
    );
    shop.wait_for_units("alice", 147);
    eventually("all webhooks", || shop.deliveries().iter().all(|row| row["progress"] == "delivered").then_some(()));
    let data = browser.get("/account/data.json").must(200);
    assert!(data.header("content-disposition").starts_with("attachment"));
    let data = data.json();
    assert_eq!(
        (&data["id"], &data["name"], &data["units"]["remaining"]),
        (&json!("alice"), &json!("Alice"), &json!(147))
    );
    assert_eq!((data["ledger"].as_array().unwrap().len(), &data["ledger_is_complete"]), (3, &json!(true)));
    assert_eq!((&data["ledger"][1]["note"], &data["payments"][0]["amount"]), (&json!("cover for Alice"), &json!(900)));
    for kind in ["customers", "orders", "audit"] {
        assert!(!data[kind].as_array().unwrap().is_empty(), "{kind}: {data}");
    }
    for kind in ["holds", "subscriptions", "letters", "letters_refused", "invitations"] {
        assert!(data[kind].is_array(), "{kind}: {data}");
    }
    let exported: Value = serde_json::from_str(&shop.till_prints(&["user", "export", "alice"])).unwrap();
    assert_eq!((&exported["ledger"], &exported["payments"]), (&data["ledger"], &data["payments"]));

    assert!(browser.get("/dashboard").must(200).body.contains("4242"));
    let head = shop.till_prints(&["ledger", "head"]);
    let page = browser.get("/account").must(200);
    let csrf = page.form("/account/erase")[0].1.clone();
    browser.post_form("/account/erase", &[("csrf", &csrf)]).must(400);
    let gone = browser.press(&page, "/account/erase").must(303);
    assert_eq!(gone.header("location"), "/login?erased");
    assert!(gone.header("clear-site-data").contains("cache"));
    browser.get("/login?erased").must(200);
    browser.get("/account/data.json").must(401);
    shop.api.get("/v1/users/alice").must(404);
    shop.verify_books();
    shop.till_prints(&["ledger", "verify", "--anchor", head.trim()]);
    let listed: Value = serde_json::from_str(&shop.till_prints(&["user", "list", "--json"])).unwrap();
    assert!(listed["data"][0]["id"].as_str().unwrap().starts_with("erased_"), "{listed}");
    assert_eq!((&listed["data"][0]["name"], &listed["data"][0]["units"]["remaining"]), (&Value::Null, &json!(147)));

    nothing_is_left(&shop);

    // What Stripe says of them later is not kept either.
    let customer = shop.ask_stripe("GET", "/v1/customers")["data"][0]["id"].clone();
    let card = json!({"type": "card", "card": {"brand": "visa", "last4": "4242"}});
    let charge = json!({"object": "charge", "id": "ch_later", "customer": customer, "status": "succeeded", "paid": true,
        "amount": 900, "currency": "eur", "payment_method_details": card,
        "billing_details": {"email": "alice@example.org", "name": "Alice Example"}});
    shop.webhook(&event("charge.succeeded", &charge)).must(200);
    let renamed = json!({"object": "customer", "id": customer, "email": "alice@example.org", "name": "Alice"});
    shop.webhook(&event("customer.updated", &renamed)).must(200);
    nothing_is_left(&shop);

    // Stripe's own customer goes where the operator wants it, and a second time does nothing.
    let erased = listed["data"][0]["id"].as_str().unwrap();
    let erase = || shop.till_prints(&["user", "erase", erased, "--at-stripe"]);
    let customer = customer.as_str().unwrap();
    assert!(erase().contains(&format!("deleted at Stripe: {customer}")));
    assert_eq!(shop.ask_stripe("GET", &format!("/v1/customers/{customer}"))["deleted"], true);
    assert!(!erase().contains("deleted at Stripe"));
}

/// Nothing of the person is in the file, but the old id as the name of who acted.
fn nothing_is_left(shop: &Shop) {
    let hand = shop.hand();
    assert_eq!(hand.number("SELECT COUNT(*) FROM charges"), 0, "what paid");
    for table in hand.tables() {
        for text in hand.rows(&format!("SELECT * FROM {table}")).concat() {
            for word in ["Alice", "alice@example.org", "cover for"] {
                assert!(!text.contains(word), "{table}: {text}");
            }
        }
    }
}

#[test]
fn an_account_that_pays_is_not_erased() {
    let shop = Shop::open();
    shop.user("alice");
    let browser = shop.sign_in("alice");
    let checkout = shop.press_buy(&browser, "starter");
    shop.pay(&checkout, &[("card", crate::harness::shop::GOOD_CARD)]);
    shop.wait_for_units("alice", 100);
    let page = eventually("the subscription", || {
        let page = browser.get("/account").must(200);
        page.body.contains("Your subscription is running").then_some(page)
    });
    assert!(!page.body.contains("/account/erase"));
    let csrf = page.form("/account/name")[0].1.clone();
    browser.post_form("/account/erase", &[("csrf", &csrf), ("sure", "yes")]).must(403);
    assert_eq!(shop.till(&["user", "erase", "alice"]).status.code(), Some(1));
    browser.get("/v1/me").must(200);
}

//! Nobody but an operator opens an operator's page or presses its buttons.

use serde_json::json;
use till::usecase::users::operators;
use till::usecase::users::sessions::{self, Browser};
use till::usecase::users::sign_in;

use super::{BUTTONS, PAGES, operator_of, shop_with_operator};
use crate::harness::life::Life;
use crate::harness::{Client, Shop};
use crate::pages::second_factor::set_up;

#[test]
fn only_an_operator_opens_the_pages_and_presses_their_buttons() {
    let shop = Shop::open();
    shop.user("alice");
    let (visitor, buyer, operator) = (shop.visitor(), shop.sign_in("alice"), operator_of(&shop));
    for page in PAGES {
        assert_eq!(visitor.get(page).must(303).header("location"), "/login", "{page}");
        let refused = buyer.get(page).must(403).body;
        assert!(refused.contains("the shop’s staff") && !refused.contains("till user admin"), "{page}: {refused}");
        let shown = operator.get(page).must(200);
        assert_eq!(shown.header("cache-control"), "no-store", "{page}");
        assert!(shown.header("content-security-policy").ends_with("form-action 'self'"), "{page}");
    }
    let token = operator.get("/admin/reconciliation").must(200).form("/admin/reconciliation")[0].1.clone();
    for button in BUTTONS {
        let fields = [("csrf", token.as_str()), ("reason", "why"), ("sure", "yes"), ("units", "5"), ("key", "k")];
        assert!([401, 403].contains(&visitor.post_form(button, &fields).status), "{button}");
        buyer.post_form(button, &fields).must(403);
    }
    assert_eq!(shop.remaining("alice"), 0);
    // Each page of an operator's leads there, also one that is kept from before.
    let leads = |browser: &Client, page: &str| browser.get(page).must(200).body.contains("href=\"/admin\">Admin");
    for page in ["/", "/dashboard", "/dashboard", "/dashboard/activity", "/account"] {
        assert!(!leads(&buyer, page) && leads(&operator, page), "{page}");
    }
    assert!(leads(&operator, "/admin"));
    shop.till_prints(&["user", "admin", "alice"]);
    assert!(leads(&shop.sign_in("alice"), "/dashboard"), "the dashboard of a buyer was kept");
    operator.get("/admin/nothing").must(404);
    assert_eq!(operator.get("/admin/users/nobody").must(404).body.matches("nobody").count(), 1);
}

#[test]
fn a_token_that_sells_signs_no_operator_in() {
    let shop = Shop::open();
    for id in ["alice", "olga"] {
        shop.user(id);
    }
    let seller = shop.program("sell");
    let link = |program: &Client| program.call("POST", "/v1/users/olga/login-links", &json!({}));
    // A link that was made while she was a buyer is of no use either.
    let earlier = link(&seller).must(201).json()["url"].as_str().unwrap().to_owned();
    shop.till_prints(&["user", "admin", "olga"]);
    shop.visitor().get(&earlier).must(410);
    assert_eq!(link(&seller).must(403).code(), "forbidden");
    seller.call("POST", "/v1/users/alice/login-links", &json!({})).must(201);
    link(&shop.program("admin")).must(201);
    let browser = shop.sign_in("olga");
    browser.get("/admin").must(200);
}

#[test]
fn a_password_alone_opens_no_operators_page() {
    let password = "four words of no use";
    let shop = Shop::open();
    shop.user("olga");
    shop.till_prints(&["user", "admin", "olga"]);
    shop.set_password("olga", password);
    let type_password = |browser: &Client| {
        let page = browser.get("/login").must(200);
        browser.fill(&page, "/login/password", &[("address", "olga"), ("password", password)]).must(303)
    };
    let browser = shop.visitor();
    type_password(&browser);
    browser.get("/account").must(200);
    let second = "/login/second?return_to=/admin";
    for page in PAGES.iter().filter(|page| !page.contains("alice")) {
        let led = browser.get(page).must(303).header("location").to_owned();
        assert!(led.starts_with(second), "{page}: {led}");
    }
    let led = browser.get("/admin/users?q=a%20b").must(303).header("location").to_owned();
    assert!(browser.get(&led).must(200).body.contains("/account"));
    assert_eq!(led, format!("{second}/users%3Fq%3Da%2520b"), "it leads back to the page that was asked for");
    assert!(browser.get(second).must(200).body.contains("/account"), "it says where a second factor is set up");
    let account = browser.get("/account").must(200);
    let csrf = account.form("/account/name")[0].1.clone();
    browser.post_form("/admin/reconciliation", &[("csrf", &csrf), ("reason", "why")]).must(403);

    let by_link = shop.sign_in("olga");
    by_link.get("/admin").must(200);
    let phone = set_up(&by_link);
    let other = shop.visitor();
    assert_eq!(type_password(&other).header("location"), "/login/second");
    other.get("/admin").must(303);
    let asked = other.get("/login/second").must(200);
    other.fill(&asked, "/login/second", &[("code", &phone.code(0))]).must(303);
    other.get("/admin").must(200);
}

#[test]
fn no_other_site_presses_an_operators_button() {
    let friend = "https://app.example";
    let shop = Shop::open_with(&[("SPRITE_RETURN_ORIGINS", friend)]);
    shop.user("alice");
    let operator = operator_of(&shop);
    let token = operator.get("/admin/reconciliation").must(200).form("/admin/reconciliation")[0].1.clone();
    for button in BUTTONS {
        for (what, csrf, headers) in [
            ("no token", "", &[("origin", shop.till.url.as_str())][..]),
            ("a front end", &token, &[("origin", friend)]),
            ("a front end by script", &token, &[("origin", friend), ("accept", "application/json")]),
            ("another site", &token, &[("origin", "https://evil.example")]),
            ("a browser that names nothing", &token, &[]),
        ] {
            let body = format!("csrf={csrf}&reason=why&units=5&key=k&sure=yes&user=alice&customer=cus_1");
            let more = [("content-type", "application/x-www-form-urlencoded"), ("cookie", &operator.cookies())];
            let answer = Client::new(&shop.till.url, headers).send("POST", button, &more, body.as_bytes());
            assert_eq!(answer.status, 403, "{button}, {what}: {}", answer.body);
            assert_eq!(answer.header("access-control-allow-origin"), "", "{button}, {what}");
        }
    }
    assert_eq!(shop.remaining("alice"), 0);
}

#[test]
fn only_the_command_line_makes_an_operator_and_a_change_of_role_signs_out() {
    let (shop, first_tab) = shop_with_operator();
    let other_browser = shop.sign_in("olga");
    assert_eq!(shop.till_prints(&["user", "admin"]).trim(), "olga");
    assert!(shop.till_prints(&["user", "admin", "olga"]).contains("already"));
    first_tab.get("/admin").must(200);
    let page = first_tab.get("/admin/users/olga").must(200);
    assert!(shop.till_prints(&["user", "admin", "olga", "--remove"]).contains("no longer"));
    for browser in [&first_tab, &other_browser] {
        assert_eq!(browser.get("/admin").must(303).header("location"), "/login");
    }
    first_tab.fill(&page, "/admin/users/olga/grant", &[("units", "5"), ("reason", "a gift to myself")]).must(401);
    let again = shop.sign_in("olga");
    again.get("/admin").must(403);
    assert_eq!(shop.remaining("olga"), 0);
    assert!(!shop.till(&["user", "admin", "nobody"]).status.success());
    let listed = shop.till_prints(&["audit", "list", "--target", "olga"]);
    assert!(listed.contains("operator_added") && listed.contains("operator_removed"), "{listed}");
}

#[test]
fn an_operators_session_ends_after_an_hour_without_use_and_after_twelve_in_any_case() {
    let life = Life::begin("http://127.0.0.1:1");
    operators::add(&life.app, "alice").unwrap();
    let begin = || {
        let link = sign_in::make_link(&life.app, "alice", None).unwrap().url;
        let token = link.split_once("token=").unwrap().1.to_owned();
        sign_in::redeem(&life.app, &token, &Browser::default()).unwrap().unwrap().cookie
    };
    let is_open = |cookie: &str| sessions::find(&life.app, cookie).unwrap().is_some();
    let use_it = |cookie: &str| {
        let session = sessions::find(&life.app, cookie).unwrap().unwrap();
        sessions::remember_use(&life.app, &session);
        life.app.store.write(|_| Ok(())).unwrap();
    };
    let start = life.app.clock.now();
    let (idle, used) = (begin(), begin());
    for half_hour in 1..24 {
        life.clock.set(start.plus_seconds(half_hour * 1800 - 1));
        assert_eq!(is_open(&idle), half_hour <= 2, "{half_hour} half hours");
        use_it(&used);
    }
    life.clock.set(start.plus_seconds(12 * 3600));
    assert!(!is_open(&used), "twelve hours");
}

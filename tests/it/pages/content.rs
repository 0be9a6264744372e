//! Pages as browsers get them: what they say, how strict they are, how little travels; and what the machine reads.

use serde_json::json;

use crate::harness::shop::{CATALOG, GOOD_CARD};
use crate::harness::wire;
use crate::harness::{Client, Shop};

/// A buyer's way: the cookie, and the page to which Stripe sends them back.
fn bought(shop: &Shop, user: &str) -> (Client, String, String) {
    let browser = shop.visitor();
    let arrived = browser.follow(&shop.login_link(user)).must(303);
    let cookie = arrived.header("set-cookie").split(';').next().unwrap().to_owned();
    let checkout = shop.press_buy(&browser, "topup_100");
    let back = shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303).header("location").to_owned();
    let back = back.strip_prefix(&shop.till.url).unwrap().to_owned();
    (browser, cookie, back)
}

/// The addresses in `src` and `href` that lead to our own files.
fn assets(page: &str) -> Vec<String> {
    let quoted = page.split('"').filter(|part| part.starts_with("/assets/"));
    quoted.map(str::to_owned).collect()
}

#[test]
fn every_page_is_strict() {
    let shop = Shop::open();
    shop.user("alice");
    let (browser, _, back) = bought(&shop, "alice");
    let visitor = shop.visitor();
    let pages = [
        "/",
        "/docs",
        "/dashboard",
        "/login",
        "/login?token=x",
        "/login?signed-out",
        "/nothing",
        "/billing/return",
        &back,
    ];
    let answers =
        pages.map(|path| browser.get(path)).into_iter().chain(["/", "/billing/return"].map(|path| visitor.get(path)));
    let others = ["/healthz", "/readyz", "/metrics", "/v1/me", "/v1/nothing"].map(|path| browser.get(path));
    for answer in answers.chain(others) {
        let what = format!("{} {}", answer.status, answer.body.chars().take(200).collect::<String>());
        let policy = answer.header("content-security-policy");
        for rule in
            ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action "]
        {
            assert!(policy.contains(rule), "{rule} is not in {policy}: {what}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains("data:"), "{policy}");
        let fixed = ["x-content-type-options", "x-frame-options", "referrer-policy", "cache-control"];
        let found = fixed.map(|name| answer.header(name));
        // A link that is spent has its secret in the address.
        let referrer = if answer.status == 410 { "no-referrer" } else { "same-origin" };
        assert_eq!(found, ["nosniff", "DENY", referrer, "no-store"], "{what}");
        if answer.header("content-type").starts_with("text/html") {
            let page = answer.body.to_lowercase();
            for inline in
                ["<style", " style=", "<script>", "javascript:", " onclick=", " onload=", " onerror=", "<iframe"]
            {
                assert!(!page.contains(inline), "{inline}: {what}");
            }
            assert!(page.split("<script").skip(1).all(|tag| tag.starts_with(" src=\"/assets/")), "{what}");
            assert!(page.starts_with("<!doctype html>") && page.contains("<html lang=\"en\">"), "{what}");
            // A page names its own address where it is shared.
            let foreign: Vec<&str> = page
                .split(['"', '\''])
                .filter(|part| part.starts_with("http") && !part.starts_with(&shop.till.url))
                .collect();
            assert!(foreign.is_empty(), "{foreign:?}: {what}");
            let needed = assets(&answer.body);
            assert!(needed.len() >= 3 && needed.iter().all(|path| browser.get(path).status == 200), "{needed:?}");
        }
    }
}

#[test]
fn a_link_to_the_prices_has_a_picture_in_the_shops_colour() {
    let plain = Shop::open();
    let coloured = Shop::open_with_catalog(&CATALOG.replacen("[shop]", "[shop]\naccent = \"#8a2d6f\"", 1));
    let pictures = [plain, coloured].map(|shop| {
        let page = shop.visitor().get("/").must(200).body;
        let named = |property: &str| {
            let meta = page.split(&format!("<meta property=\"{property}\" content=\"")).nth(1).unwrap();
            meta.split('"').next().unwrap().to_owned()
        };
        assert_eq!(named("og:url"), format!("{}/", shop.till.url));
        let address = named("og:image");
        assert!(address.starts_with(&shop.till.url), "{address}");
        let picture = wire::ask(&shop.till.url, &format!("GET {}", &address[shop.till.url.len()..]), &[]);
        assert_eq!((picture.status, picture.header("content-type")), (200, "image/png"));
        picture.body
    });
    assert_ne!(pictures[0], pictures[1]);
}

#[test]
fn a_first_visit_brings_little_and_its_files_are_kept() {
    let shop = Shop::open();
    shop.user("alice");
    let (browser, cookie, back) = bought(&shop, "alice");
    let headers = ["Accept: text/html", "Accept-Encoding: gzip", &format!("Cookie: {cookie}")];
    let mut paths = ["/", "/docs", "/dashboard", "/login", "/nothing", &back].map(str::to_owned).to_vec();
    let files = assets(&browser.get("/dashboard").must(200).body);
    for (ending, kind) in [(".css", "text/css"), (".js", "text/javascript"), (".svg", "image/svg+xml")] {
        let path = files.iter().find(|path| path.ends_with(ending)).unwrap();
        let file = wire::ask(&shop.till.url, &format!("GET {path}"), &headers);
        assert!(file.header("content-type").starts_with(kind), "{path}");
        assert_eq!(file.header("cache-control"), "public, max-age=31536000, immutable", "{path}");
        let tag = format!("If-None-Match: {}", file.header("etag"));
        assert_eq!(wire::ask(&shop.till.url, &format!("GET {path}"), &[&tag]).status, 304, "{path}");
        paths.push(path.clone());
    }
    let mut sizes = vec![];
    for path in &paths {
        let compressed = wire::ask(&shop.till.url, &format!("GET {path}"), &headers);
        let whole = wire::ask(&shop.till.url, &format!("GET {path}"), &[headers[0], headers[2]]);
        assert_eq!((compressed.header("content-encoding"), whole.header("content-encoding")), ("gzip", ""), "{path}");
        assert!(compressed.body.len() < whole.body.len(), "{path}");
        assert!(compressed.head.contains("vary: accept-encoding"), "{path}: {}", compressed.head);
        sizes.push(compressed.size());
    }
    let (pages, files) = sizes.split_at(paths.len() - 3);
    let files: usize = files.iter().sum();
    // A first visit brings a page and its files.
    for (path, page) in paths.iter().zip(pages) {
        assert!(page + files < 25_000, "{path}: {page} and {files} bytes");
    }
}

#[test]
fn the_dashboard_says_what_is_left_and_what_more_costs() {
    let shop = Shop::open();
    let name = "<b>\"Al\" & 'Co'</b><script>";
    shop.api.call("PUT", "/v1/users/alice", &json!({"name": name, "email": "a&b@example.org"})).must(201);
    let note = json!({"units": 1234, "note": "<i>for</i> you"});
    shop.api.call_once("/v1/users/alice/grants", "k", &note).must(201);
    assert_eq!(shop.visitor().get("/dashboard").must(303).header("location"), "/login");
    let browser = shop.sign_in("alice");
    let page = browser.get("/dashboard").must(200);
    let text: Vec<&str> =
        page.body.split('<').filter_map(|part| part.split_once('>')).map(|(_, text)| text.trim()).collect();
    let text = text.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("|");
    for words in [
        "Need More Pictures?|",
        "|100 pictures|$9|9¢ per picture|",
        "|250 pictures|$20|8¢ per picture|Better value|",
        "|1,234|pictures left|",
        "|Subscription|",
        "|Usage|",
        "|Recent activity|",
        "|+1,234|",
    ] {
        assert!(text.contains(words), "{words} is not in {text}");
    }
    assert!(!page.body.contains("<b>\"Al") && !page.body.contains("<script>") && !page.body.contains("<i>for"));
    assert!(page.body.contains("&#60;b&#62;&#34;Al&#34; &#38; &#39;Co&#39;&#60;/b&#62;"), "{}", page.body);
    assert!(page.body.contains("a&#38;b@example.org"));

    let pricing = shop.visitor().get("/").must(200);
    for words in
        ["$9", "$20", "$29", "Starter", "Pro", "100 pictures", "250 pictures", "Better value", "Sign in to buy"]
    {
        assert!(pricing.body.contains(words), "{words}");
    }
    assert!(!pricing.body.contains("action=\"/billing"), "a visitor has nothing to press");
}

#[test]
fn the_machine_reads_how_it_stands() {
    let shop = Shop::open();
    shop.user("alice");
    let (browser, _, back) = bought(&shop, "alice");
    assert!(browser.get(&back).must(200).body.contains("100 pictures added"));
    shop.till.wait_for_log("topup_processed", |line| line["event"] == "topup_processed");
    shop.webhook(&json!({"id": "evt_1", "object": "event", "type": "ping", "created": 1, "livemode": false,
        "data": {"object": {"id": "x", "object": "ping"}}}))
        .must(200);
    let anybody = Client::new(&shop.till.url, &[]);
    assert_eq!(anybody.get("/healthz").must(200).body, "ok\n");
    assert_eq!(anybody.get("/readyz").must(200).json(), json!({"status": "ready"}));
    let text = anybody.get("/metrics").must(200).body;
    let names = [
        "till_webhook_events_total{",
        "till_units_spent_total 0",
        "till_commit_seconds_count ",
        "till_commit_seconds_bucket{",
    ];
    for name in names {
        assert!(text.lines().any(|line| line.starts_with(name)), "{name} is not in {text}");
    }
    assert!(text.contains("till_units_credited_total{kind=\"topup\"} 100"), "{text}");
    assert!(text.lines().all(|line| line.starts_with("till_") || line.starts_with("# ")), "{text}");
    assert!(!text.contains("alice") && text.contains("route=\"/v1/users/{id}\""), "routes, not paths: {text}");
}

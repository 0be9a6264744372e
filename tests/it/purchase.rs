//! A purchase from button to ledger, through everything that can happen to the webhooks that tell of it.

use super::harness::Shop;
use super::harness::shop::{BAD_CARD, GOOD_CARD};

#[test]
fn a_pack_is_credited_once_whoever_says_so_first() {
    let shop = Shop::open();
    shop.user("alice");
    let browser = shop.sign_in("alice");
    let checkout = shop.press_buy(&browser, "topup_100");
    shop.pay(&checkout, &[("card", BAD_CARD)]).must(402);
    assert_eq!(shop.remaining("alice"), 0);

    let back = shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
    let page = browser.get(back.header("location")).must(200);

    assert!(page.body.contains("100 pictures added"), "{}", page.body);
    shop.wait_for_units("alice", 100);
    assert_eq!(shop.ledger("alice").len(), 1);
}

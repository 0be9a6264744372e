//! All the hard cases of payments through Stripe, each with the test that covers it, so that the next reader need not search.
//! A name that begins with `src/` is a test beside the code; the others are in `tests/it`.
//!
//! | case | what is hard | kept by |
//! | --- | --- | --- |
//! | 1 | the signature header | `billing/webhook::only_what_stripe_signed_lately_is_taken`, `billing/webhook::the_header_is_one_and_ascii_and_the_path_may_have_slashes_too_many` |
//! | 2 | the same event twice, at once | `billing/pack/idempotency::the_same_fact_is_applied_once_from_everywhere_at_once` |
//! | 3 | one fact, several events | `billing/pack/idempotency::the_same_fact_is_applied_once_by_whatever_events_it_comes` |
//! | 4 | seen, not applied, then a crash | `billing/pack/idempotency::a_crash_under_load_loses_nothing_and_doubles_nothing` |
//! | 5 | 200 although the write failed | `faults/database::a_disk_that_is_full` |
//! | 6 | a redirect in front | `cli/check::an_endpoint_that_is_off_and_a_way_that_leads_elsewhere_are_named`, `billing/webhook::the_header_is_one_and_ascii_and_the_path_may_have_slashes_too_many` |
//! | 7 | Stripe gave up, the endpoint is off | `billing/reconcile/command::what_no_webhook_told_is_found_by_comparing_and_credited_once`, `cli/check::an_endpoint_that_is_off_and_a_way_that_leads_elsewhere_are_named` |
//! | 8 | older than events are kept | `billing/plan/shapes::what_is_older_than_stripes_events_is_found_among_its_objects` |
//! | 9 | another API version | `billing/stripe_samples::both_shapes_of_a_sample_say_the_same`, `billing/inbox::an_object_that_cannot_be_read_is_kept_as_failed_with_the_reason` |
//! | 10 | the other mode | `billing/inbox::what_is_none_of_our_business_is_kept_as_ignored_even_when_replayed` |
//! | 11 | thin events | `billing/inbox::what_is_none_of_our_business_is_kept_as_ignored_even_when_replayed` |
//! | 12 | another account | `billing/inbox::what_is_none_of_our_business_is_kept_as_ignored_even_when_replayed` |
//! | 13 | bodies that break parsers | `billing/webhook::a_body_that_is_no_event_is_refused_and_nothing_breaks`, `billing/webhook::a_signed_event_with_odd_values_in_it_is_taken_and_credited` |
//! | 14 | any order as a plan begins | `billing/plan/shapes::a_plan_that_begins_ends_the_same_in_any_order_of_its_events` |
//! | 15 | an ended plan is not revived | `billing/plan/allotment::a_plan_allots_once_for_each_invoice_and_its_state_never_goes_back` |
//! | 16 | a reversal before its payment | `billing/refund/reversal::refunds_and_disputes_of_a_pack_end_the_same_in_any_order` |
//! | 17 | won before it was opened | `billing/refund/reversal::refunds_and_disputes_of_a_pack_end_the_same_in_any_order` |
//! | 18 | return page, webhook, comparison | `billing/pack/idempotency::the_same_fact_is_applied_once_from_everywhere_at_once` |
//! | 19 | a wrong clock | `cli/check::a_key_and_a_clock_that_are_not_right_are_named`, `billing/webhook::only_what_stripe_signed_lately_is_taken` |
//! | 20 | slow payments | `billing/pack/idempotency::a_slow_payment_is_pending_until_the_money_comes` |
//! | 21 | nothing to pay | `billing/pack/order::an_order_that_costs_nothing_is_credited_under_the_sessions_id` |
//! | 22 | codes, taxes, other currencies | `billing/pack/order::units_are_those_on_sale_times_the_quantity_whatever_was_charged` |
//! | 23 | the catalogue changed meanwhile | `billing/pack/order::a_change_of_the_catalogue_does_not_reach_what_was_bought_before` |
//! | 24 | quantities | `billing/pack/order::units_are_those_on_sale_times_the_quantity_whatever_was_charged` |
//! | 25 | expired and abandoned sessions | `billing/pack/order::expired_and_abandoned_checkouts_give_nothing` |
//! | 26 | a deleted customer buys again | `billing/stripe_requests::a_customer_deleted_at_stripe_who_buys_again_is_a_new_customer` |
//! | 27 | e-mail decides nothing | `billing/pack/order::the_order_decides_then_metadata_then_customer_and_price` |
//! | 28 | metadata edited or gone | `billing/pack/order::the_order_decides_then_metadata_then_customer_and_price` |
//! | 29 | links and invoices by hand | `billing/pack/order::the_order_decides_then_metadata_then_customer_and_price`, `billing/attribution/payment_link::a_plan_by_a_payment_link_is_the_users_with_its_renewals_and_its_portal`, `billing/attribution/operator::assigning_an_invoice_makes_its_customer_and_subscription_the_users`, `billing/inbox::a_replay_says_what_it_would_do_then_does_it_and_does_it_once` |
//! | 30 | the answer is lost | `billing/stripe_requests::a_connection_lost_after_stripe_made_the_session_makes_no_second_one`, `src/stripe/error::an_answer_means_what_its_status_and_code_say` |
//! | 31 | pressed twice | `billing/pack/idempotency::two_presses_are_two_payments_and_each_is_credited` |
//! | 32 | the return address | `billing/stripe_requests::our_facts_are_on_the_session_and_on_the_payment`, `billing/pack/order::only_the_owner_is_told_of_a_purchase` |
//! | 33 | yen and dinars | `src/money::amounts_are_written_as_prices_are` |
//! | 34 | trials, and coupons of 100 % | `billing/plan/changes::a_trial_brings_no_units_and_a_coupon_all_of_them` |
//! | 35 | renewals, once | `billing/plan/changes::a_renewal_brings_units_once_and_leaves_top_ups_alone` |
//! | 36 | upgrades, now or with the renewal | `billing/plan/changes::an_upgrade_at_once_brings_the_difference_and_a_downgrade_takes_it_back`, `billing/plan/changes::prorations_that_wait_come_with_the_renewal_beside_the_full_line` |
//! | 37 | downgrades, to and fro | `billing/plan/changes::to_and_fro_brings_no_more_units_than_money`, `billing/plan/changes::an_upgrade_at_once_brings_the_difference_and_a_downgrade_takes_it_back` |
//! | 38 | an unpaid upgrade | `billing/plan/states::an_upgrade_that_is_not_paid_brings_nothing_until_it_is` |
//! | 39 | late, given up, void | `billing/plan/states::a_renewal_that_is_late_brings_its_units_once_when_it_is_paid_and_else_never`, `billing/plan/states::after_the_last_retry_the_plan_is_gone_or_stays_as_the_account_has_it` |
//! | 40 | never paid | `billing/plan/states::what_was_never_paid_never_was_a_plan` |
//! | 41 | resumed, or cancelled with a credit note | `billing/plan/states::a_plan_set_to_end_says_so_either_way_and_may_be_resumed`, `billing/refund/credit_note::a_plan_cancelled_at_once_with_a_credit_note_gives_the_units_of_the_rest_back`, `billing/refund/credit_note::credit_notes_refunds_and_disputes_of_an_invoice_end_the_same_in_any_order` |
//! | 42 | collection paused | `billing/plan/states::while_collection_is_paused_there_is_no_invoice_to_pay_and_nothing_is_added` |
//! | 43 | two plans at once | `billing/plan/shapes::of_two_plans_both_bring_units_the_better_is_shown_and_the_operator_is_told` |
//! | 44 | quantities and several items | `billing/plan/shapes::a_quantity_and_several_items_each_count_by_their_own_price` |
//! | 45 | yearly plans | `billing/plan/year::a_year_is_allotted_on_the_days_of_its_months`, `billing/plan/year::a_refund_of_the_year_takes_what_was_allotted_and_stops_the_rest` |
//! | 46 | renewals leave top-ups alone | `billing/plan/changes::a_renewal_brings_units_once_and_leaves_top_ups_alone` |
//! | 47 | older prices | `billing/plan/shapes::an_older_price_brings_what_its_plan_brings`, `billing/plan/shapes::a_plan_taken_off_sale_is_kept_by_those_who_have_it_and_sold_to_nobody` |
//! | 48 | more lines than the event shows | `billing/plan/shapes::an_invoice_by_hand_with_more_lines_than_its_event_shows_counts_whole` |
//! | 49 | an invoice by hand | `billing/plan/shapes::an_invoice_by_hand_with_more_lines_than_its_event_shows_counts_whole` |
//! | 50 | paid past Stripe | `billing/plan/shapes::what_was_paid_past_stripe_is_paid_and_kept_as_such`, `billing/plan/states::a_renewal_that_is_late_brings_its_units_once_when_it_is_paid_and_else_never` |
//! | 51 | partial refunds add up | `billing/refund/reversal::refunds_and_disputes_of_a_pack_end_the_same_in_any_order`, `billing/simulation/shuffle::shuffled_lives_end_in_the_books_computed_apart` |
//! | 52 | refunds pending, failed, cancelled | `billing/refund/reversal::refunds_and_disputes_of_a_pack_end_the_same_in_any_order` |
//! | 53 | refund and dispute together | `billing/refund/reversal::refunds_and_disputes_of_a_pack_end_the_same_in_any_order` |
//! | 54 | inquiries and warnings | `billing/refund/reversal::refunds_and_disputes_of_a_pack_end_the_same_in_any_order`, `billing/inbox::what_is_none_of_our_business_is_kept_as_ignored_even_when_replayed` |
//! | 55 | follow the funds | `billing/refund/reversal::refunds_and_disputes_of_a_pack_end_the_same_in_any_order` |
//! | 56 | a debt | `billing/plan/changes::an_upgrade_at_once_brings_the_difference_and_a_downgrade_takes_it_back`, `src/http/pages/tests/mod::pages_say_what_is_so` |
//! | 57 | a refund of an unknown payment | `billing/plan/shapes::a_refund_of_what_is_not_in_the_books_is_shown_to_the_operator_and_still_counts_when_that_comes` |
//! | 58 | which refusals are tried again | `src/stripe/client/tests::what_may_heal_is_sent_again_unchanged`, `src/stripe/client/tests::what_will_not_heal_is_asked_once` |
//! | 59 | no answer in time | `faults/stripe_away::the_user_hears_our_words_in_time_and_the_log_has_stripes`, `src/stripe/client/tests::a_server_that_never_answers_is_left_at_the_deadline` |
//! | 60 | a permission is missing | `cli/check::a_key_and_a_clock_that_are_not_right_are_named`, `cli/check::each_permission_that_the_key_lacks_is_named` |
//! | 61 | lists with pages | `src/stripe/client/tests::lists_are_read_page_by_page`, `billing/reconcile/resumption::a_comparison_that_broke_off_goes_on_and_skips_nothing` |
//! | 62 | expanded or not | `src/stripe/objects/checkout::a_reference_is_an_id_or_an_object_with_one` |
//! | 63 | fields and words not known | `src/stripe/objects/invoice::only_the_status_says_paid_and_lines_left_out_have_to_be_asked_for`, `src/stripe/objects/subscription::an_unknown_status_is_neither_current_nor_over` |
//! | 64 | a pack with an invoice | `billing/plan/shapes::a_pack_with_an_invoice_is_credited_once_in_any_order_and_refunded_by_its_payment` |
//! | 65 | paid from a credit balance | `billing/plan/changes::an_upgrade_at_once_brings_the_difference_and_a_downgrade_takes_it_back`, `billing/refund/credit_note::credit_notes_refunds_and_disputes_of_an_invoice_end_the_same_in_any_order` |
//! | 66 | a late word of a replaced plan | `billing/plan/states::a_late_word_of_a_plan_that_was_replaced_does_not_end_the_new_one` |
//! | 67 | both ways of ending | `billing/plan/states::a_plan_set_to_end_says_so_either_way_and_may_be_resumed` |
//! | 68 | the funds of a dispute | `billing/refund/reversal::refunds_and_disputes_of_a_pack_end_the_same_in_any_order` |
//! | 69 | key and body before the first attempt | `billing/stripe_requests::a_connection_lost_after_stripe_made_the_session_makes_no_second_one`, `billing/stripe_requests::a_session_that_stripe_denied_having_made_counts_when_it_is_paid` |
//! | 70 | an invoice without its payment | `billing/plan/subscription::a_plan_is_subscribed_to_allotted_and_refunded` |
//! | 71 | one event in two shapes | `billing/pack/idempotency::the_same_fact_is_applied_once_by_whatever_events_it_comes` |
//! | 72 | guests, and metadata on each | `billing/pack/order::the_order_decides_then_metadata_then_customer_and_price`, `billing/stripe_requests::our_facts_are_on_the_session_and_on_the_payment` |
//! | 73 | parameters that Stripe took away | `billing/stripe_samples::every_parameter_sent_is_in_stripes_description`, `billing/stripe_requests::every_request_is_one_that_stripe_takes` |
//! | 74 | unknown events | `billing/inbox::what_is_none_of_our_business_is_kept_as_ignored_even_when_replayed` |

use std::fs;
use std::path::Path;

const CASES: usize = 74;

#[test]
fn every_hard_case_names_a_test_that_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let rows = include_str!("hard_cases.rs").lines().filter_map(|line| line.strip_prefix("//! | "));
    let rows: Vec<Vec<&str>> = rows.map(|row| row.split(" | ").collect()).skip(2).collect();
    assert_eq!(rows.len(), CASES);
    for (number, row) in (1..).zip(&rows) {
        assert_eq!(row[0], number.to_string());
        let names: Vec<&str> = row[2].split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "case {number} names no test");
        for name in names {
            let (file, function) = name.split_once("::").unwrap();
            let folder = if file.starts_with("src/") { root.to_owned() } else { root.join("tests/it") };
            let path = folder.join(format!("{file}.rs"));
            let text = fs::read_to_string(&path).unwrap_or_else(|why| panic!("case {number}: {path:?}: {why}"));
            assert!(text.contains(&format!("fn {function}()")), "case {number}: no {function} in {path:?}");
        }
    }
}

//! The kit for record stores is tested itself: the cases named here find the bug of each broken store.

mod common;

use std::collections::BTreeSet;

use sessile_lab::{BrokenStore, StoreBug};
use sessile_testkit::{StoreCase, StoreSubject};

use self::common::{proofs, store_failure};

fn assert_caught(bug: StoreBug, cases: &[&str]) {
    let subject = || {
        let store = BrokenStore::new(bug);
        let second = store.second();
        StoreSubject::new(store).with_second(second)
    };
    self::common::assert_caught(bug, cases, |name| store_failure(name, subject));
}

proofs! { StoreBug;
    load_invents: LoadInvents => [
        "load::of_nothing_is_nothing",
        "load::keeps_keys_of_one_shard_apart",
        "load::both_handles_see_the_same",
    ];
    load_hides_expired: LoadHidesExpired => [
        "load::an_expired_entry_is_still_there",
    ];
    load_is_cached: LoadIsCached => [
        "load::both_handles_see_the_same",
    ];
    load_mixes_shards: LoadMixesShards => [
        "load::keeps_keys_of_one_shard_apart",
    ];
    load_moves_version: LoadMovesVersion => [
        "load::returns_what_was_inserted",
        "load::keeps_keys_of_one_shard_apart",
        "load::changes_nothing",
        "load::an_expired_entry_is_still_there",
    ];
    head_is_old: HeadIsOld => [
        "load::both_handles_see_the_same",
    ];
    insert_overwrites: InsertOverwrites => [
        "insert::refuses_a_key_that_is_taken",
        "insert::refuses_a_key_whose_entry_has_expired",
    ];
    insert_replaces_expired: InsertReplacesExpired => [
        "insert::refuses_a_key_whose_entry_has_expired",
    ];
    insert_repeats: InsertRepeats => [
        "insert::refuses_a_key_that_is_taken",
    ];
    insert_remembers: InsertRemembers => [
        "insert::puts_back_what_was_removed",
    ];
    insert_in_two_steps: InsertInTwoSteps => [
        "race::one_of_many_inserts_wins",
    ];
    insert_torn: InsertTorn => [
        "cancel::of_insert_leaves_all_or_nothing",
    ];
    replace_ignores_version: ReplaceIgnoresVersion => [
        "replace::of_another_version_does_nothing",
        "replace::of_an_earlier_version_does_nothing",
        "replace::of_what_came_back_does_nothing",
        "pair::a_late_commit_of_another_process_is_refused",
        "pair_race::two_processes_lose_no_update",
        "race::one_of_many_replaces_of_a_version_wins",
    ];
    replace_compares_half: ReplaceComparesHalf => [
        "replace::of_another_version_does_nothing",
    ];
    replace_takes_earlier: ReplaceTakesEarlier => [
        "replace::of_an_earlier_version_does_nothing",
    ];
    replace_upserts: ReplaceUpserts => [
        "replace::of_nothing_creates_nothing",
        "pair::a_logout_in_another_process_is_final",
    ];
    replace_keeps_meta: ReplaceKeepsMeta => [
        "replace::puts_the_whole_entry",
        "replace::of_an_expired_entry_is_applied",
    ];
    replace_keeps_deadline: ReplaceKeepsDeadline => [
        "replace::puts_the_whole_entry",
        "replace::of_an_expired_entry_is_applied",
    ];
    replace_refuses_expired: ReplaceRefusesExpired => [
        "replace::of_an_expired_entry_is_applied",
    ];
    replace_in_two_steps: ReplaceInTwoSteps => [
        "race::one_of_many_replaces_of_a_version_wins",
        "race::increments_all_count",
        "pair_race::two_processes_lose_no_update",
    ];
    replace_torn: ReplaceTorn => [
        "cancel::of_replace_leaves_the_old_or_the_new",
        "race::increments_all_count",
        "race::no_reader_sees_a_torn_entry",
    ];
    replace_comes_later: ReplaceComesLater => [
        "cancel::of_replace_leaves_the_old_or_the_new",
    ];
    touch_ignores_version: TouchIgnoresVersion => [
        "touch::of_another_version_does_nothing",
        "touch::of_an_earlier_version_does_nothing",
        "touch::of_what_came_back_does_nothing",
    ];
    touch_upserts: TouchUpserts => [
        "touch::of_nothing_creates_nothing",
    ];
    touch_keeps_version: TouchKeepsVersion => [
        "touch::changes_the_head_and_nothing_else",
        "touch::moves_the_deadline_either_way",
        "touch::of_an_earlier_version_does_nothing",
        "touch::of_an_expired_entry_is_applied",
    ];
    touch_drops_payload: TouchDropsPayload => [
        "touch::changes_the_head_and_nothing_else",
        "touch::moves_the_deadline_either_way",
        "touch::of_an_earlier_version_does_nothing",
        "touch::of_an_expired_entry_is_applied",
    ];
    touch_keeps_meta: TouchKeepsMeta => [
        "touch::changes_the_head_and_nothing_else",
        "touch::moves_the_deadline_either_way",
        "touch::of_an_earlier_version_does_nothing",
        "touch::of_an_expired_entry_is_applied",
    ];
    touch_never_shortens: TouchNeverShortens => [
        "touch::moves_the_deadline_either_way",
    ];
    touch_refuses_expired: TouchRefusesExpired => [
        "touch::of_an_expired_entry_is_applied",
    ];
    touch_in_two_steps: TouchInTwoSteps => [
        "race::one_of_many_touches_of_a_version_wins",
    ];
    touch_torn: TouchTorn => [
        "cancel::of_touch_leaves_the_old_or_the_new",
    ];
    rename_ignores_version: RenameIgnoresVersion => [
        "rename::of_another_version_does_nothing",
        "rename::of_an_earlier_version_does_nothing",
        "rename::of_what_came_back_does_nothing",
    ];
    rename_overwrites: RenameOverwrites => [
        "rename::to_a_key_that_is_taken_does_nothing",
    ];
    rename_replaces_expired: RenameReplacesExpired => [
        "rename::to_a_key_that_is_taken_does_nothing",
    ];
    rename_upserts: RenameUpserts => [
        "rename::of_nothing_creates_nothing",
    ];
    rename_keeps_old: RenameKeepsOld => [
        "rename::moves_and_leaves_nothing",
    ];
    rename_forgets_left: RenameForgetsLeft => [
        "rename::moves_and_leaves_an_entry",
    ];
    rename_forgets_entry: RenameForgetsEntry => [
        "rename::moves_and_leaves_nothing",
        "rename::moves_and_leaves_an_entry",
        "rename::of_an_expired_entry_is_applied",
    ];
    rename_to_itself: RenameToItself => [
        "rename::to_itself_does_nothing",
    ];
    rename_refuses_expired: RenameRefusesExpired => [
        "rename::of_an_expired_entry_is_applied",
    ];
    rename_in_two_steps: RenameInTwoSteps => [
        "race::one_of_many_renames_of_a_version_wins",
        "race::one_of_many_renames_to_a_key_wins",
    ];
    rename_torn: RenameTorn => [
        "cancel::of_rename_leaves_one_of_two_states",
        "race::one_of_many_renames_of_a_version_wins",
    ];
    remove_ignores_version: RemoveIgnoresVersion => [
        "remove::of_another_version_does_nothing",
        "remove::of_an_earlier_version_does_nothing",
        "remove::of_what_came_back_does_nothing",
        "pair::a_logout_that_meets_a_rotation_removes_no_mark",
    ];
    remove_does_nothing: RemoveDoesNothing => [
        "remove::takes_the_entry_away",
        "remove::of_what_came_back_does_nothing",
        "remove::of_nothing_is_not_applied",
        "remove::of_an_expired_entry_is_applied",
    ];
    remove_says_yes: RemoveSaysYes => [
        "remove::takes_the_entry_away",
        "remove::of_nothing_is_not_applied",
    ];
    remove_refuses_expired: RemoveRefusesExpired => [
        "remove::of_an_expired_entry_is_applied",
    ];
    remove_in_two_steps: RemoveInTwoSteps => [
        "race::one_of_many_removes_of_a_version_wins",
        "race::one_of_different_writes_of_a_version_wins",
    ];
    remove_torn: RemoveTorn => [
        "cancel::of_remove_leaves_all_or_nothing",
        "race::one_of_many_removes_of_a_version_wins",
    ];
    scan_skips: ScanSkips => [
        "scan::misses_none_that_stays",
    ];
    scan_ends_early: ScanEndsEarly => [
        "scan::lists_every_entry_by_parts_of_any_size",
        "scan::lists_heads_as_they_are_now",
        "scan::goes_on_from_the_bytes_of_a_cursor",
        "scan::misses_none_that_stays",
    ];
    scan_never_ends: ScanNeverEnds => [
        "scan::of_nothing_ends",
        "scan::lists_every_entry_by_parts_of_any_size",
        "scan::lists_heads_as_they_are_now",
        "scan::goes_on_from_the_bytes_of_a_cursor",
    ];
    scan_ignores_limit: ScanIgnoresLimit => [
        "scan::lists_every_entry_by_parts_of_any_size",
        "scan::lists_heads_as_they_are_now",
        "race::a_scan_misses_none_that_stays",
    ];
    scan_hides_expired: ScanHidesExpired => [
        "scan::lists_every_entry_by_parts_of_any_size",
        "scan::lists_heads_as_they_are_now",
        "scan::goes_on_from_the_bytes_of_a_cursor",
        "scan::misses_none_that_stays",
    ];
    scan_is_old: ScanIsOld => [
        "scan::lists_heads_as_they_are_now",
    ];
    scan_cursor_is_local: ScanCursorIsLocal => [
        "scan::goes_on_from_the_bytes_of_a_cursor",
    ];
    scan_removes: ScanRemoves => [
        "scan::lists_every_entry_by_parts_of_any_size",
        "scan::misses_none_that_stays",
        "cancel::of_reads_disturbs_nothing",
    ];
    take_leaves: TakeLeaves => [
        "take_expired::takes_what_is_due_and_nothing_else",
        "take_expired::takes_no_more_than_asked_for",
        "take_expired::returns_each_once",
        "take_expired::follows_the_deadline_an_entry_has_now",
    ];
    take_is_early: TakeIsEarly => [
        "take_expired::takes_what_is_due_and_nothing_else",
        "take_expired::takes_no_more_than_asked_for",
        "take_expired::leaves_the_key_free",
    ];
    take_is_late: TakeIsLate => [
        "take_expired::takes_what_is_due_and_nothing_else",
        "take_expired::takes_no_more_than_asked_for",
        "take_expired::leaves_the_key_free",
    ];
    take_takes_undated: TakeTakesUndated => [
        "take_expired::takes_what_is_due_and_nothing_else",
        "take_expired::follows_the_deadline_an_entry_has_now",
    ];
    take_ignores_limit: TakeIgnoresLimit => [
        "take_expired::takes_no_more_than_asked_for",
        "take_expired::returns_each_once",
    ];
    take_stops_short: TakeStopsShort => [
        "take_expired::takes_no_more_than_asked_for",
        "take_expired::follows_the_deadline_an_entry_has_now",
    ];
    take_drops_payload: TakeDropsPayload => [
        "take_expired::takes_what_is_due_and_nothing_else",
        "take_expired::takes_no_more_than_asked_for",
        "take_expired::returns_each_once",
        "take_expired::follows_the_deadline_an_entry_has_now",
    ];
    take_goes_by_old_deadline: TakeGoesByOldDeadline => [
        "take_expired::follows_the_deadline_an_entry_has_now",
    ];
    take_keeps_key: TakeKeepsKey => [
        "take_expired::leaves_the_key_free",
    ];
    take_in_two_steps: TakeInTwoSteps => [
        "race::takers_share_the_expired",
    ];
    take_torn: TakeTorn => [
        "cancel::of_take_expired_takes_all_or_nothing",
        "race::takers_share_the_expired",
    ];
    version_is_cut: VersionIsCut => [
        "contents::any_version",
        "contents::any_deadline",
        "contents::any_meta",
        "contents::a_payload_of_nothing",
    ];
    deadline_in_seconds: DeadlineInSeconds => [
        "contents::any_deadline",
    ];
    deadline_of_the_past_is_none: DeadlineOfThePastIsNone => [
        "contents::any_deadline",
    ];
    meta_is_cut: MetaIsCut => [
        "contents::any_meta",
    ];
    meta_is_text: MetaIsText => [
        "contents::any_meta",
        "pair::a_late_commit_of_another_process_is_refused",
        "pair::a_logout_that_meets_a_rotation_removes_no_mark",
    ];
    payload_is_text: PayloadIsText => [
        "contents::a_payload_of_every_byte",
        "contents::payloads_around_the_sizes_of_buffers",
        "contents::a_payload_of_eight_mebibytes",
    ];
    payload_is_cut: PayloadIsCut => [
        "contents::payloads_around_the_sizes_of_buffers",
        "contents::a_payload_of_eight_mebibytes",
    ];
    payload_is_cut_late: PayloadIsCutLate => [
        "contents::a_payload_of_eight_mebibytes",
    ];
    payload_empty_is_none: PayloadEmptyIsNone => [
        "contents::a_payload_of_nothing",
    ];
}

#[test]
fn every_bug_is_caught() {
    let caught: BTreeSet<_> = PROOFS.iter().map(|(bug, _)| *bug).collect();
    let missed: Vec<_> = StoreBug::ALL.iter().filter(|bug| !caught.contains(bug)).collect();
    assert!(missed.is_empty(), "nothing catches {missed:?}");
}

#[test]
fn every_case_catches_something() {
    let named: BTreeSet<_> = PROOFS.iter().flat_map(|(_, cases)| cases.iter().copied()).collect();
    let idle: Vec<_> = StoreCase::all()
        .iter()
        .map(StoreCase::name)
        .filter(|name| !named.contains(name))
        .collect();
    assert!(idle.is_empty(), "these cases are not shown to catch anything: {idle:?}");
}

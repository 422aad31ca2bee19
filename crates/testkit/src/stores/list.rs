//! The list of cases, and [`record_store_tests!`](crate::record_store_tests), which turns them into tests.

/// Passes the list of cases to another macro.
#[doc(hidden)]
#[macro_export]
macro_rules! __with_store_cases {
    ([$($then:tt)+] $context:tt) => {
        $($then)+! { $context
            load single [
                of_nothing_is_nothing
                returns_what_was_inserted
                keeps_keys_of_one_shard_apart
                changes_nothing
                an_expired_entry_is_still_there
                both_handles_see_the_same
            ]
            contents single [
                any_version
                any_deadline
                any_meta
                a_payload_of_nothing
                a_payload_of_every_byte
                payloads_around_the_sizes_of_buffers
                a_payload_of_eight_mebibytes
            ]
            insert single [
                refuses_a_key_that_is_taken
                refuses_a_key_whose_entry_has_expired
                puts_back_what_was_removed
            ]
            replace single [
                puts_the_whole_entry
                of_another_version_does_nothing
                of_an_earlier_version_does_nothing
                of_what_came_back_does_nothing
                of_nothing_creates_nothing
                of_an_expired_entry_is_applied
            ]
            touch single [
                changes_the_head_and_nothing_else
                moves_the_deadline_either_way
                of_another_version_does_nothing
                of_an_earlier_version_does_nothing
                of_what_came_back_does_nothing
                of_nothing_creates_nothing
                of_an_expired_entry_is_applied
            ]
            rename single [
                moves_and_leaves_nothing
                moves_and_leaves_an_entry
                to_a_key_that_is_taken_does_nothing
                to_itself_does_nothing
                of_another_version_does_nothing
                of_an_earlier_version_does_nothing
                of_what_came_back_does_nothing
                of_nothing_creates_nothing
                of_an_expired_entry_is_applied
            ]
            remove single [
                takes_the_entry_away
                of_another_version_does_nothing
                of_an_earlier_version_does_nothing
                of_what_came_back_does_nothing
                of_nothing_is_not_applied
                of_an_expired_entry_is_applied
            ]
            scan single [
                of_nothing_ends
                lists_every_entry_by_parts_of_any_size
                lists_heads_as_they_are_now
                goes_on_from_the_bytes_of_a_cursor
                misses_none_that_stays
            ]
            take_expired single [
                takes_what_is_due_and_nothing_else
                takes_no_more_than_asked_for
                returns_each_once
                follows_the_deadline_an_entry_has_now
                leaves_the_key_free
            ]
            cancel single [
                of_reads_disturbs_nothing
                of_insert_leaves_all_or_nothing
                of_replace_leaves_the_old_or_the_new
                of_touch_leaves_the_old_or_the_new
                of_rename_leaves_one_of_two_states
                of_remove_leaves_all_or_nothing
                of_take_expired_takes_all_or_nothing
            ]
            race parallel [
                one_of_many_inserts_wins
                one_of_many_replaces_of_a_version_wins
                one_of_many_touches_of_a_version_wins
                one_of_many_removes_of_a_version_wins
                one_of_many_renames_of_a_version_wins
                one_of_many_renames_to_a_key_wins
                one_of_different_writes_of_a_version_wins
                increments_all_count
                no_reader_sees_a_torn_entry
                takers_share_the_expired
                a_scan_misses_none_that_stays
            ]
            pair single [
                a_late_commit_of_another_process_is_refused
                a_logout_in_another_process_is_final
                a_logout_that_meets_a_rotation_removes_no_mark
            ]
            pair_race parallel [
                two_processes_lose_no_update
            ]
        }
    };
}

/// Creates a test for every case of the kit for record stores. The argument is an async function without arguments that
/// returns a [`StoreSubject`](crate::StoreSubject): an empty store for one case.
///
/// Only direct calls show what the operations do with stale or foreign versions, with keys that are taken or missing,
/// and with concurrent callers. Behind [`LockedStore`](sessile_core::LockedStore) with working locks, these hardly
/// occur. Run the [cases for storages](crate::storage_tests) on the pair as well.
///
/// ```
/// mod store {
///     use sessile_testkit::{ModelStore, StoreSubject, record_store_tests};
///
///     async fn subject() -> StoreSubject {
///         let store = ModelStore::new(); // here goes yours
///         StoreSubject::new(store.clone()).with_second(store)
///     }
///
///     record_store_tests!(subject);
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! record_store_tests {
    ($factory:expr $(,)?) => {
        $crate::__with_store_cases! { [$crate::__emit_tests] (run_store $factory) }
    };
}

//! The list of cases.

/// Passes the list of cases to another macro.
#[doc(hidden)]
#[macro_export]
macro_rules! __with_cases {
    ([$($then:tt)+] $context:tt) => {
        $($then)+! { $context
            create single [
                keeps_the_record_as_it_is
                keeps_a_record_without_a_deadline
                refuses_a_live_key
                refuses_a_locked_key_and_leaves_the_lock
                refuses_a_tombstone
                refuses_an_alias
                an_expired_record_is_no_obstacle
                a_deadline_that_has_come_is_never_seen
                a_new_record_is_not_locked
            ]
            read single [
                an_unknown_key_is_missing
                waits_for_no_lock
                takes_no_lock
                sees_a_write_when_it_is_committed
                changes_nothing
                keys_of_one_shard_do_not_mix
                both_handles_see_the_same
            ]
            lock single [
                returns_the_record_and_its_lock
                excludes_others
                sessions_do_not_exclude_each_other
                an_unknown_key_is_missing_at_once
                an_unknown_key_leaves_nothing_behind
                an_expired_record_is_missing_at_once
                a_tombstone_is_superseded_at_once
                each_has_a_token_of_its_own
                release_gives_it_up_and_writes_nothing
                release_without_the_right_token_does_nothing
                renew_without_the_right_token_is_refused
                dropping_it_gives_it_up
                a_holder_that_panics_gives_it_up
                a_holder_that_is_aborted_gives_it_up
                dropping_a_disarmed_lock_does_nothing
            ]
            wait single [
                ends_when_the_wait_is_over
                of_zero_is_not_waited
                of_any_length_is_accepted
                ends_with_a_commit_and_sees_it
                ends_with_a_release
                ends_with_a_dropped_lock
                ends_with_destroy
                ends_with_destroy_of_a_tombstone
                ends_with_the_end_of_the_record
                ends_with_rotation
                follows_rotation_with_a_grace
                through_an_alias_ends_with_the_session
                is_in_order_of_arrival
                cannot_be_skipped
                is_bounded
                cancelled_passes_the_lock_on
            ]
            lease single [
                keeps_others_out_until_its_end
                frees_the_session_at_its_end
                lets_waiters_in_at_its_end
                runs_anew_when_renewed
                is_not_added_up_by_renewals
                cannot_be_renewed_after_its_end
                cannot_be_renewed_for_a_session_that_is_gone
                over_means_nothing_is_changed
                over_dropping_the_lock_frees_no_other
                over_the_session_is_as_it_was
            ]
            commit single [
                replaces_the_record
                gives_the_lock_up
                a_disarmed_lock_has_no_effect
                moves_the_deadline_either_way
                without_the_right_token_it_is_refused
                after_release_it_is_refused
                a_refusal_leaves_the_lock_with_its_owner
                brings_nothing_into_being
                to_a_destroyed_session_it_is_refused
                to_an_expired_session_it_is_refused
                to_a_session_that_has_moved_it_is_refused
                after_the_lease_it_is_refused
                after_another_has_the_lock_it_is_refused
            ]
            replace single [
                stores_the_record_as_it_is
                takes_no_lock
                moves_the_deadline_either_way
                takes_what_another_handle_has_read
                of_a_record_that_was_written_since_changes_nothing
                of_a_record_that_was_touched_since_changes_nothing
                of_a_locked_session_leaves_it_to_the_holder
                after_the_lease_it_is_done_and_the_late_holder_is_refused
                brings_nothing_into_being
                of_a_destroyed_session_it_is_refused
                of_an_expired_session_it_is_refused
                of_a_session_that_has_moved_it_is_refused
                does_not_follow_an_alias
                leaves_the_keys_that_lead_to_it
                delays_no_waiter
                names_itself_in_errors
            ]
            rotate single [
                moves_the_record
                gives_the_lock_up
                leaves_a_tombstone
                the_tombstone_goes_in_time
                the_tombstone_outlasts_the_session
                nothing_revives_the_old_key
                without_the_right_token_it_is_refused
                of_a_session_that_is_gone_it_is_refused
                of_an_expired_session_it_is_refused
                to_a_key_that_is_taken_it_is_refused
                can_be_done_again_and_again
            ]
            alias single [
                is_followed_by_every_operation
                of_an_alias_is_followed_to_the_end
                destroy_through_it_ends_the_session
                destroy_through_it_works_when_its_grace_is_over
                destroy_through_more_than_are_followed_ends_the_session
                is_followed_up_to_the_limit
                of_what_was_destroyed_is_superseded
                of_what_has_expired_is_superseded
                becomes_a_tombstone_and_then_nothing
                of_a_tombstone_is_superseded
                is_no_way_in_for_a_late_holder
            ]
            touch single [
                moves_the_two_times_and_nothing_else
                never_moves_the_deadline_back
                never_moves_the_last_activity_back
                none_takes_the_deadline_away
                no_deadline_stays_no_deadline
                keeps_a_session_alive_past_its_old_deadline
                revives_nothing
                does_not_revive_the_expired
                leaves_a_tombstone
                needs_no_lock_and_disturbs_none
                of_a_record_that_was_written_since_changes_nothing
                tells_versions_apart
                through_an_alias_asks_for_the_version_there
            ]
            destroy single [
                removes_the_session
                can_be_repeated
                an_unknown_key_is_missing
                an_expired_record_is_missing
                waits_for_no_lock
                nothing_late_brings_it_back
                takes_the_lock_away_with_the_record
                of_a_tombstone_ends_the_session
                of_a_tombstone_takes_the_lock_away
                of_a_tombstone_follows_every_move
                of_a_tombstone_finds_nothing_that_has_ended
                of_a_tombstone_that_is_over_finds_nothing
                leaves_nothing_behind
            ]
            expiry single [
                is_exact_after_create
                is_exact_after_commit
                is_exact_after_replace
                is_exact_after_rotation
                is_exact_after_touch
                is_exact_under_a_lock
                is_the_end_for_every_operation
                may_be_far_away
                does_not_come_without_a_deadline
            ]
            scan single [
                of_nothing_ends
                lists_every_session_by_pages_of_any_size
                lists_only_what_lives
                goes_on_from_the_bytes_of_a_cursor
                misses_none_that_lives_throughout
                tells_the_lengths_of_payloads_or_nothing
            ]
            sweep single [
                returns_the_expired_and_only_those
                returns_nothing_before_the_deadline
                returns_each_once
                returns_no_more_than_asked_for
                leaves_what_was_given_longer_to_live
                returns_nothing_of_the_destroyed_and_the_moved
                leaves_nothing_behind
            ]
            drain single [
                gives_up_what_is_not_given_back
                waits_for_what_is_given_back
                of_nothing_is_at_once_and_changes_nothing
            ]
            payload single [
                nothing_at_all
                every_byte
                what_looks_like_markup
                around_the_sizes_of_buffers
                a_mebibyte
                eight_mebibytes
            ]
            facts single [
                are_none_where_there_are_none
                of_the_longest_length_are_kept
                are_those_of_the_last_write
                are_kept_by_touch
                are_kept_when_nothing_is_written
                are_found_through_an_alias
                tell_records_apart
                are_swept_with_the_record
                of_other_records_than_sessions_are_kept
            ]
            cancel single [
                of_read_disturbs_nothing
                of_create_leaves_all_or_nothing
                of_lock_leaves_no_lock
                of_lock_while_waiting_leaves_no_gap
                of_commit_leaves_the_old_or_the_new
                of_replace_leaves_the_old_or_the_new
                of_rotate_leaves_one_session
                of_release_leaves_no_lock
                of_renew_keeps_the_lock
                of_touch_moves_both_times_or_none
                of_destroy_leaves_all_or_nothing
                of_scan_and_sweep_harms_no_session
            ]
            errors single [
                name_the_operation_and_the_storage
            ]
            full single [
                is_reported_and_nothing_is_lost
                leaves_a_commit_its_lock_and_the_record
                leaves_the_record_of_a_replace
                leaves_a_session_where_it_is
                ends_when_there_is_room
            ]
            capabilities single [
                are_those_the_profile_names
                usage_follows_what_is_stored
            ]
            watch single [
                wakes_after_every_write
                wakes_after_a_move_under_both_keys
                wakes_after_an_end
                wakes_after_a_sweep
                wakes_after_what_another_handle_does
                of_many_sessions_wakes_each
                of_one_session_wakes_all_tasks
            ]
            immediate single [
                a_held_lock_is_not_waited_for
                the_moment_is_that_of_the_result
                both_ways_give_the_same_results
            ]
            concurrency parallel [
                increments_of_one_session_all_count
                increments_of_many_sessions_all_count
                touches_take_nothing_from_commits
                touches_end_at_the_latest
                touches_lengthen_no_later_commit
                no_reader_sees_a_torn_record
                cancellation_loses_neither_lock_nor_update
            ]
            contest parallel [
                one_of_many_replaces_wins
                replaces_and_commits_of_one_session_all_count
                replaces_undo_no_touch
                no_holder_sees_a_replace
                destroy_is_final_among_replaces
            ]
            race parallel [
                one_of_many_creators_wins
                destroy_is_final_among_writers
                destroy_is_final_among_rotations
                one_of_many_rotations_wins
                a_scan_misses_none_that_lives_throughout
                sweepers_share_the_expired
            ]
            owner single [
                log_in_gives_id_owner_and_moment_in_one_step
                log_in_begins_a_session
                a_login_that_fails_changes_nothing
                a_login_to_a_session_that_was_ended_is_refused
                the_owner_changes_only_with_the_id
                the_last_of_several_changes_counts
                log_out_keeps_the_values
                the_old_id_is_worth_nothing_after_a_login
                are_listed_in_the_order_of_their_logins
                a_session_that_does_not_move_stays_listed
                owners_of_any_text_are_told_apart
                the_client_is_shown_within_bounds
            ]
            owner_limit single [
                refuses_the_newest
                ends_the_oldest
                ends_the_least_active
                ends_a_session_that_is_in_use
                counts_a_session_once_wherever_it_moves
                has_room_when_a_session_has_ended
                has_room_after_the_end_of_everything
                does_not_count_the_expired
                applies_to_what_was_there_before_it
            ]
            registry single [
                shows_what_is_known_of_a_session
                finds_a_session_where_it_has_moved
                lists_and_counts_all_sessions_and_nothing_else
                a_record_of_its_own_is_no_session
                leaves_nothing_behind_when_an_owner_has_gone
                an_owner_comes_back_at_any_time
            ]
            ending single [
                tells_whether_there_was_a_session
                follows_a_session_that_has_moved
                of_all_leaves_other_owners_alone
                of_others_keeps_the_one
                of_others_keeps_one_that_has_moved
                waits_for_no_lock
                of_all_stops_visits_under_way
            ]
            epoch single [
                its_end_ends_all_sessions
                a_new_one_begins_with_new_sessions
                its_end_is_noticed_by_visits_under_way
                of_the_past_leaves_no_lock
                that_is_not_counted_cannot_end
                ends_as_often_as_is_asked_at_once
            ]
            audit single [
                needs_a_scan
                finds_nothing_to_mend_after_ordinary_use
                removes_the_places_of_the_dead
                removes_the_places_of_the_expired
                adds_what_is_missing
                adds_and_removes_at_once
                believes_the_sessions_and_not_the_lists
                is_not_needed_for_a_session_that_moves
                removes_the_sessions_of_earlier_epochs
            ]
            crowd parallel [
                logins_beyond_the_limit_are_refused
                logins_beyond_the_limit_end_the_oldest
                logins_beyond_the_limit_end_the_least_active
                a_session_that_moves_is_never_missing
                a_former_owner_is_never_shown_a_session
                the_end_of_all_is_final
            ]
        }
    };
}

//! The kit is tested itself: the cases named here find the bug of each broken storage.

mod common;

use std::collections::BTreeSet;

use sessile_lab::{Broken, Bug, Watched};
use sessile_testkit::{Case, Profile, Subject};

use self::common::{failure, proofs};

fn subject(bug: Bug) -> Subject {
    let storage = Broken::new(bug);
    let second = storage.second();
    let observed = storage.model().clone();
    let profile = Profile::paused().with_max_waiters(8).with_usage();
    let profile = if bug.has_limit() { profile.with_limit() } else { profile };
    let subject = match bug.has_watch() {
        true => Subject::new(Watched::new(storage), profile.with_watch()).with_second(Watched::new(second)),
        false => Subject::new(storage, profile).with_second(second),
    };
    subject.with_footprint(move || std::future::ready(observed.footprint()))
}

fn assert_caught(bug: Bug, cases: &[&str]) {
    self::common::assert_caught(bug, cases, |name| failure(name, || subject(bug)));
}

proofs! { Bug;
    create_overwrites: CreateOverwrites => [
        "create::refuses_a_live_key",
        "create::refuses_a_locked_key_and_leaves_the_lock",
    ];
    create_in_two_steps: CreateInTwoSteps => [
        "race::one_of_many_creators_wins",
    ];
    create_replaces_tombstones: CreateReplacesTombstones => [
        "create::refuses_a_tombstone",
        "create::refuses_an_alias",
    ];
    create_refuses_the_expired: CreateRefusesTheExpired => [
        "create::an_expired_record_is_no_obstacle",
    ];
    create_torn: CreateTorn => [
        "cancel::of_create_leaves_all_or_nothing",
    ];
    create_locks: CreateLocks => [
        "create::refuses_a_locked_key_and_leaves_the_lock",
        "create::refuses_a_tombstone",
        "create::refuses_an_alias",
        "create::an_expired_record_is_no_obstacle",
        "create::a_new_record_is_not_locked",
    ];
    create_resets_times: CreateResetsTimes => [
        "create::keeps_the_record_as_it_is",
    ];
    create_invents_deadline: CreateInventsDeadline => [
        "create::keeps_a_record_without_a_deadline",
    ];
    create_keeps_old_timer: CreateKeepsOldTimer => [
        "create::an_expired_record_is_no_obstacle",
    ];
    read_waits: ReadWaits => [
        "read::waits_for_no_lock",
        "read::sees_a_write_when_it_is_committed",
        "read::both_handles_see_the_same",
    ];
    read_locks: ReadLocks => [
        "read::takes_no_lock",
    ];
    read_touches: ReadTouches => [
        "read::changes_nothing",
    ];
    read_mixes_shards: ReadMixesShards => [
        "read::keys_of_one_shard_do_not_mix",
    ];
    read_invents: ReadInvents => [
        "read::an_unknown_key_is_missing",
        "read::keys_of_one_shard_do_not_mix",
        "read::both_handles_see_the_same",
    ];
    read_is_cached: ReadIsCached => [
        "read::both_handles_see_the_same",
    ];
    lock_ignores_holder: LockIgnoresHolder => [
        "lock::excludes_others",
        "lock::release_without_the_right_token_does_nothing",
        "lock::dropping_a_disarmed_lock_does_nothing",
        "wait::ends_when_the_wait_is_over",
        "wait::of_zero_is_not_waited",
    ];
    lock_is_shared: LockIsShared => [
        "lock::sessions_do_not_exclude_each_other",
    ];
    lock_leaves_entry: LockLeavesEntry => [
        "lock::an_unknown_key_leaves_nothing_behind",
    ];
    lock_waits_for_the_missing: LockWaitsForTheMissing => [
        "lock::an_unknown_key_is_missing_at_once",
        "lock::an_unknown_key_leaves_nothing_behind",
        "lock::an_expired_record_is_missing_at_once",
        "lock::a_tombstone_is_superseded_at_once",
        "wait::ends_with_destroy",
    ];
    lock_returns_stale_record: LockReturnsStaleRecord => [
        "wait::ends_with_a_commit_and_sees_it",
    ];
    lock_returns_empty: LockReturnsEmpty => [
        "lock::returns_the_record_and_its_lock",
        "lock::excludes_others",
        "lock::release_gives_it_up_and_writes_nothing",
        "lock::renew_without_the_right_token_is_refused",
        "lock::dropping_it_gives_it_up",
    ];
    lock_repeats_token: LockRepeatsToken => [
        "lock::each_has_a_token_of_its_own",
    ];
    lock_stays_when_dropped: LockStaysWhenDropped => [
        "cancel::of_lock_leaves_no_lock",
        "concurrency::cancellation_loses_neither_lock_nor_update",
    ];
    lock_is_lifo: LockIsLifo => [
        "wait::is_in_order_of_arrival",
    ];
    lock_skips_queue: LockSkipsQueue => [
        "wait::cannot_be_skipped",
    ];
    lock_is_unbounded: LockIsUnbounded => [
        "wait::is_bounded",
    ];
    lock_bound_is_shared: LockBoundIsShared => [
        "wait::is_bounded",
    ];
    lock_loses_wake_up: LockLosesWakeUp => [
        "lock::excludes_others",
        "wait::ends_when_the_wait_is_over",
        "wait::of_zero_is_not_waited",
        "wait::is_in_order_of_arrival",
        "wait::is_bounded",
        "wait::cancelled_passes_the_lock_on",
        "cancel::of_lock_while_waiting_leaves_no_gap",
    ];
    lock_overstays: LockOverstays => [
        "lock::excludes_others",
        "lock::release_without_the_right_token_does_nothing",
        "lock::dropping_a_disarmed_lock_does_nothing",
        "wait::ends_when_the_wait_is_over",
        "wait::of_zero_is_not_waited",
    ];
    lock_gives_up_early: LockGivesUpEarly => [
        "wait::ends_when_the_wait_is_over",
    ];
    lock_overflows: LockOverflows => [
        "wait::of_any_length_is_accepted",
    ];
    lock_misses_the_end: LockMissesTheEnd => [
        "wait::ends_with_destroy",
        "wait::ends_with_the_end_of_the_record",
    ];
    lock_misses_the_move: LockMissesTheMove => [
        "wait::ends_with_rotation",
        "wait::follows_rotation_with_a_grace",
    ];
    lock_polls_slowly: LockPollsSlowly => [
        "wait::of_any_length_is_accepted",
        "wait::ends_with_a_commit_and_sees_it",
        "wait::ends_with_a_release",
        "wait::ends_with_a_dropped_lock",
        "wait::ends_with_destroy",
    ];
    lease_never_ends: LeaseNeverEnds => [
        "lease::frees_the_session_at_its_end",
        "lease::lets_waiters_in_at_its_end",
        "lease::cannot_be_renewed_after_its_end",
        "lease::over_means_nothing_is_changed",
        "lease::over_dropping_the_lock_frees_no_other",
    ];
    lease_takes_record: LeaseTakesRecord => [
        "lease::over_the_session_is_as_it_was",
    ];
    lease_ends_early: LeaseEndsEarly => [
        "lease::keeps_others_out_until_its_end",
        "lease::lets_waiters_in_at_its_end",
        "lease::runs_anew_when_renewed",
    ];
    renew_revives: RenewRevives => [
        "lease::cannot_be_renewed_after_its_end",
    ];
    renew_ignores_token: RenewIgnoresToken => [
        "lease::cannot_be_renewed_after_its_end",
        "lock::renew_without_the_right_token_is_refused",
    ];
    renew_does_nothing: RenewDoesNothing => [
        "lease::runs_anew_when_renewed",
    ];
    renew_adds_up: RenewAddsUp => [
        "lease::is_not_added_up_by_renewals",
    ];
    renew_torn: RenewTorn => [
        "cancel::of_renew_keeps_the_lock",
    ];
    renew_ignores_record: RenewIgnoresRecord => [
        "lease::cannot_be_renewed_for_a_session_that_is_gone",
        "lock::renew_without_the_right_token_is_refused",
    ];
    release_ignores_token: ReleaseIgnoresToken => [
        "lock::release_without_the_right_token_does_nothing",
        "lease::over_means_nothing_is_changed",
    ];
    release_does_nothing: ReleaseDoesNothing => [
        "lock::excludes_others",
        "lock::each_has_a_token_of_its_own",
        "lock::release_gives_it_up_and_writes_nothing",
        "cancel::of_read_disturbs_nothing",
        "cancel::of_lock_leaves_no_lock",
    ];
    release_writes: ReleaseWrites => [
        "owner::a_login_that_fails_changes_nothing",
        "lock::release_gives_it_up_and_writes_nothing",
    ];
    release_fails_when_lost: ReleaseFailsWhenLost => [
        "lock::release_without_the_right_token_does_nothing",
        "lease::over_means_nothing_is_changed",
    ];
    release_torn: ReleaseTorn => [
        "cancel::of_release_leaves_no_lock",
    ];
    drop_does_nothing: DropDoesNothing => [
        "lock::dropping_it_gives_it_up",
        "lock::a_holder_that_panics_gives_it_up",
        "lock::a_holder_that_is_aborted_gives_it_up",
        "wait::ends_with_a_dropped_lock",
    ];
    drop_ignores_token: DropIgnoresToken => [
        "lease::lets_waiters_in_at_its_end",
        "lease::over_dropping_the_lock_frees_no_other",
    ];
    commit_ignores_token: CommitIgnoresToken => [
        "commit::a_disarmed_lock_has_no_effect",
        "commit::without_the_right_token_it_is_refused",
        "commit::after_release_it_is_refused",
        "commit::a_refusal_leaves_the_lock_with_its_owner",
        "commit::after_the_lease_it_is_refused",
    ];
    commit_ignores_lease: CommitIgnoresLease => [
        "commit::after_the_lease_it_is_refused",
    ];
    commit_upserts: CommitUpserts => [
        "commit::brings_nothing_into_being",
        "commit::to_a_destroyed_session_it_is_refused",
        "commit::to_an_expired_session_it_is_refused",
        "cancel::of_destroy_leaves_all_or_nothing",
        "race::destroy_is_final_among_writers",
    ];
    commit_revives: CommitRevives => [
        "commit::to_an_expired_session_it_is_refused",
        "commit::after_the_lease_it_is_refused",
    ];
    commit_ignores_tombstone: CommitIgnoresTombstone => [
        "commit::to_a_session_that_has_moved_it_is_refused",
    ];
    commit_keeps_lock: CommitKeepsLock => [
        "commit::gives_the_lock_up",
        "commit::a_disarmed_lock_has_no_effect",
        "commit::moves_the_deadline_either_way",
        "commit::without_the_right_token_it_is_refused",
        "commit::after_another_has_the_lock_it_is_refused",
    ];
    commit_does_not_spend: CommitDoesNotDisarm => [
        "commit::gives_the_lock_up",
    ];
    commit_spends_on_failure: CommitDisarmsOnFailure => [
        "commit::a_refusal_leaves_the_lock_with_its_owner",
    ];
    commit_keeps_meta: CommitKeepsMeta => [
        "commit::replaces_the_record",
        "commit::moves_the_deadline_either_way",
        "concurrency::increments_of_one_session_all_count",
        "concurrency::no_reader_sees_a_torn_record",
    ];
    commit_never_shortens: CommitNeverShortens => [
        "commit::moves_the_deadline_either_way",
    ];
    commit_in_two_steps: CommitInTwoSteps => [
        "race::destroy_is_final_among_writers",
    ];
    commit_torn: CommitTorn => [
        "cancel::of_commit_leaves_the_old_or_the_new",
        "concurrency::no_reader_sees_a_torn_record",
    ];
    commit_comes_later: CommitComesLater => [
        "race::destroy_is_final_among_writers",
        "concurrency::increments_of_one_session_all_count",
        "concurrency::increments_of_many_sessions_all_count",
        "concurrency::touches_take_nothing_from_commits",
        "concurrency::cancellation_loses_neither_lock_nor_update",
    ];
    replace_does_nothing: ReplaceDoesNothing => [
        "replace::stores_the_record_as_it_is",
        "replace::takes_no_lock",
        "replace::leaves_the_keys_that_lead_to_it",
        "replace::after_the_lease_it_is_done_and_the_late_holder_is_refused",
        "cancel::of_replace_leaves_the_old_or_the_new",
        "contest::one_of_many_replaces_wins",
        "contest::replaces_and_commits_of_one_session_all_count",
    ];
    replace_never_does: ReplaceNeverDoes => [
        "replace::stores_the_record_as_it_is",
        "contest::one_of_many_replaces_wins",
    ];
    replace_keeps_times: ReplaceKeepsTimes => [
        "replace::stores_the_record_as_it_is",
        "replace::moves_the_deadline_either_way",
        "expiry::is_exact_after_replace",
    ];
    replace_locks: ReplaceLocks => [
        "replace::takes_no_lock",
        "replace::stores_the_record_as_it_is",
        "replace::delays_no_waiter",
    ];
    replace_is_per_handle: ReplaceIsPerHandle => [
        "replace::takes_what_another_handle_has_read",
    ];
    replace_ignores_version: ReplaceIgnoresVersion => [
        "replace::of_a_record_that_was_written_since_changes_nothing",
        "replace::of_a_record_that_was_touched_since_changes_nothing",
        "contest::one_of_many_replaces_wins",
        "contest::replaces_and_commits_of_one_session_all_count",
    ];
    replace_ignores_touches: ReplaceIgnoresTouches => [
        "replace::of_a_record_that_was_touched_since_changes_nothing",
        "contest::replaces_undo_no_touch",
    ];
    replace_ignores_lock: ReplaceIgnoresLock => [
        "replace::of_a_locked_session_leaves_it_to_the_holder",
        "contest::no_holder_sees_a_replace",
        "contest::replaces_and_commits_of_one_session_all_count",
    ];
    replace_unlocks: ReplaceUnlocks => [
        "replace::of_a_locked_session_leaves_it_to_the_holder",
        "contest::no_holder_sees_a_replace",
    ];
    replace_waits: ReplaceWaits => [
        "replace::of_a_locked_session_leaves_it_to_the_holder",
    ];
    replace_ignores_lease: ReplaceIgnoresLease => [
        "replace::after_the_lease_it_is_done_and_the_late_holder_is_refused",
    ];
    replace_revives_lock: ReplaceRevivesLock => [
        "replace::after_the_lease_it_is_done_and_the_late_holder_is_refused",
    ];
    replace_prolongs_lease: ReplaceProlongsLease => [
        "replace::delays_no_waiter",
    ];
    replace_upserts: ReplaceUpserts => [
        "replace::brings_nothing_into_being",
        "replace::of_a_destroyed_session_it_is_refused",
        "replace::of_an_expired_session_it_is_refused",
        "contest::destroy_is_final_among_replaces",
    ];
    replace_revives: ReplaceRevives => [
        "replace::of_an_expired_session_it_is_refused",
    ];
    replace_hides_the_end: ReplaceHidesTheEnd => [
        "replace::brings_nothing_into_being",
        "replace::of_a_destroyed_session_it_is_refused",
        "replace::of_an_expired_session_it_is_refused",
        "replace::of_a_session_that_has_moved_it_is_refused",
    ];
    replace_ignores_tombstone: ReplaceIgnoresTombstone => [
        "replace::of_a_session_that_has_moved_it_is_refused",
    ];
    replace_follows_alias: ReplaceFollowsAlias => [
        "replace::does_not_follow_an_alias",
    ];
    replace_removes_aliases: ReplaceRemovesAliases => [
        "replace::leaves_the_keys_that_lead_to_it",
    ];
    replace_in_two_steps: ReplaceInTwoSteps => [
        "contest::one_of_many_replaces_wins",
        "contest::replaces_and_commits_of_one_session_all_count",
        "contest::destroy_is_final_among_replaces",
    ];
    replace_torn: ReplaceTorn => [
        "cancel::of_replace_leaves_the_old_or_the_new",
    ];
    replace_has_no_name: ReplaceHasNoName => [
        "replace::names_itself_in_errors",
    ];
    immediate_queues: ImmediateQueues => [
        "immediate::a_held_lock_is_not_waited_for",
    ];
    immediate_fails_where_it_waits: ImmediateFailsWhereItWaits => [
        "immediate::a_held_lock_is_not_waited_for",
    ];
    immediate_is_of_another_moment: ImmediateIsOfAnotherMoment => [
        "immediate::the_moment_is_that_of_the_result",
    ];
    immediate_replaces_anything: ImmediateReplacesAnything => [
        "immediate::both_ways_give_the_same_results",
    ];
    rotate_keeps_old: RotateKeepsOld => [
        "rotate::leaves_a_tombstone",
        "rotate::the_tombstone_goes_in_time",
        "rotate::the_tombstone_outlasts_the_session",
        "rotate::nothing_revives_the_old_key",
        "rotate::to_a_key_that_is_taken_it_is_refused",
    ];
    rotate_leaves_nothing: RotateLeavesNothing => [
        "rotate::leaves_a_tombstone",
        "rotate::the_tombstone_goes_in_time",
        "rotate::the_tombstone_outlasts_the_session",
        "rotate::nothing_revives_the_old_key",
        "rotate::to_a_key_that_is_taken_it_is_refused",
    ];
    rotate_overwrites: RotateOverwrites => [
        "rotate::to_a_key_that_is_taken_it_is_refused",
    ];
    rotate_ignores_token: RotateIgnoresToken => [
        "rotate::without_the_right_token_it_is_refused",
        "alias::is_no_way_in_for_a_late_holder",
    ];
    rotate_upserts: RotateUpserts => [
        "rotate::of_a_session_that_is_gone_it_is_refused",
        "rotate::of_an_expired_session_it_is_refused",
    ];
    rotate_keeps_lock: RotateKeepsLock => [
        "rotate::gives_the_lock_up",
        "rotate::leaves_a_tombstone",
        "rotate::nothing_revives_the_old_key",
        "rotate::can_be_done_again_and_again",
        "cancel::of_rotate_leaves_one_session",
    ];
    rotate_ignores_grace: RotateIgnoresGrace => [
        "alias::is_followed_by_every_operation",
        "alias::of_an_alias_is_followed_to_the_end",
        "alias::of_what_has_expired_is_superseded",
    ];
    rotate_spends_on_failure: RotateDisarmsOnFailure => [
        "rotate::to_a_key_that_is_taken_it_is_refused",
    ];
    rotate_forgets_record: RotateForgetsRecord => [
        "rotate::moves_the_record",
        "rotate::the_tombstone_outlasts_the_session",
        "rotate::can_be_done_again_and_again",
        "cancel::of_rotate_leaves_one_session",
        "alias::of_what_has_expired_is_superseded",
        "race::one_of_many_rotations_wins",
    ];
    rotate_torn: RotateTorn => [
        "rotate::to_a_key_that_is_taken_it_is_refused",
        "cancel::of_rotate_leaves_one_session",
    ];
    tombstone_stays: TombstoneStays => [
        "rotate::the_tombstone_goes_in_time",
        "alias::becomes_a_tombstone_and_then_nothing",
        "destroy::of_a_tombstone_that_is_over_finds_nothing",
    ];
    tombstone_goes_early: TombstoneGoesEarly => [
        "rotate::the_tombstone_goes_in_time",
        "alias::becomes_a_tombstone_and_then_nothing",
    ];
    tombstone_goes_with_session: TombstoneGoesWithSession => [
        "rotate::the_tombstone_outlasts_the_session",
    ];
    alias_stays: AliasStays => [
        "alias::becomes_a_tombstone_and_then_nothing",
    ];
    alias_is_not_chained: AliasIsNotChained => [
        "alias::of_an_alias_is_followed_to_the_end",
        "alias::of_a_tombstone_is_superseded",
    ];
    alias_lets_holders_in: AliasLetsHoldersIn => [
        "alias::is_no_way_in_for_a_late_holder",
    ];
    alias_is_locked: AliasIsLocked => [
        "alias::is_followed_by_every_operation",
        "alias::of_an_alias_is_followed_to_the_end",
    ];
    alias_is_forgotten: AliasIsForgotten => [
        "wait::through_an_alias_ends_with_the_session",
    ];
    touch_upserts: TouchUpserts => [
        "touch::revives_nothing",
        "touch::does_not_revive_the_expired",
    ];
    touch_revives: TouchRevives => [
        "touch::does_not_revive_the_expired",
    ];
    touch_shortens: TouchShortens => [
        "touch::never_moves_the_deadline_back",
        "concurrency::touches_end_at_the_latest",
    ];
    touch_rewinds: TouchRewinds => [
        "touch::never_moves_the_last_activity_back",
    ];
    touch_limits: TouchLimits => [
        "touch::no_deadline_stays_no_deadline",
    ];
    touch_ignores_none: TouchIgnoresNone => [
        "touch::none_takes_the_deadline_away",
    ];
    touch_counts: TouchCounts => [
        "touch::moves_the_two_times_and_nothing_else",
        "cancel::of_touch_moves_both_times_or_none",
    ];
    touch_waits: TouchWaits => [
        "touch::needs_no_lock_and_disturbs_none",
    ];
    touch_unlocks: TouchUnlocks => [
        "touch::needs_no_lock_and_disturbs_none",
        "concurrency::touches_take_nothing_from_commits",
    ];
    touch_follows_tombstone: TouchFollowsTombstone => [
        "touch::leaves_a_tombstone",
    ];
    touch_torn: TouchTorn => [
        "cancel::of_touch_moves_both_times_or_none",
    ];
    touch_overwrites: TouchOverwrites => [
        "concurrency::touches_take_nothing_from_commits",
        "concurrency::touches_end_at_the_latest",
    ];
    touch_keeps_old_timer: TouchKeepsOldTimer => [
        "touch::keeps_a_session_alive_past_its_old_deadline",
    ];
    touch_ignores_version: TouchIgnoresVersion => [
        "touch::of_a_record_that_was_written_since_changes_nothing",
        "touch::tells_versions_apart",
        "touch::through_an_alias_asks_for_the_version_there",
        "concurrency::touches_lengthen_no_later_commit",
    ];
    touch_hides_the_stale: TouchHidesTheStale => [
        "touch::of_a_record_that_was_written_since_changes_nothing",
        "touch::tells_versions_apart",
        "touch::through_an_alias_asks_for_the_version_there",
    ];
    touch_in_two_steps: TouchInTwoSteps => [
        "concurrency::touches_lengthen_no_later_commit",
    ];
    destroy_does_nothing: DestroyDoesNothing => [
        "destroy::removes_the_session",
        "destroy::can_be_repeated",
        "destroy::waits_for_no_lock",
        "destroy::nothing_late_brings_it_back",
        "destroy::takes_the_lock_away_with_the_record",
    ];
    destroy_keeps_lock: DestroyKeepsLock => [
        "destroy::takes_the_lock_away_with_the_record",
    ];
    destroy_removes_aliases: DestroyRemovesAliases => [
        "alias::destroy_through_it_ends_the_session",
        "alias::of_what_was_destroyed_is_superseded",
    ];
    destroy_waits: DestroyWaits => [
        "destroy::waits_for_no_lock",
    ];
    destroy_removes_tombstones: DestroyRemovesTombstones => [
        "destroy::of_a_tombstone_ends_the_session",
        "destroy::of_a_tombstone_follows_every_move",
        "destroy::of_a_tombstone_finds_nothing_that_has_ended",
        "alias::destroy_through_it_works_when_its_grace_is_over",
        "alias::destroy_through_more_than_are_followed_ends_the_session",
        "alias::is_followed_up_to_the_limit",
    ];
    destroy_ignores_tombstone: DestroyIgnoresTombstone => [
        "destroy::of_a_tombstone_ends_the_session",
        "destroy::of_a_tombstone_takes_the_lock_away",
        "destroy::of_a_tombstone_follows_every_move",
        "alias::destroy_through_it_works_when_its_grace_is_over",
        "alias::destroy_through_more_than_are_followed_ends_the_session",
        "alias::is_followed_up_to_the_limit",
        "race::destroy_is_final_among_rotations",
        "wait::ends_with_destroy_of_a_tombstone",
    ];
    destroy_follows_one_move: DestroyFollowsOneMove => [
        "destroy::of_a_tombstone_follows_every_move",
        "alias::destroy_through_it_works_when_its_grace_is_over",
        "race::destroy_is_final_among_rotations",
    ];
    destroy_counts_aliases: DestroyCountsAliases => [
        "alias::is_followed_up_to_the_limit",
        "alias::destroy_through_more_than_are_followed_ends_the_session",
    ];
    destroy_keeps_moved_lock: DestroyKeepsMovedLock => [
        "destroy::of_a_tombstone_takes_the_lock_away",
    ];
    destroy_in_two_steps: DestroyInTwoSteps => [
        "race::destroy_is_final_among_rotations",
    ];
    destroy_always_finds: DestroyAlwaysFinds => [
        "destroy::can_be_repeated",
        "destroy::an_unknown_key_is_missing",
        "destroy::an_expired_record_is_missing",
        "alias::destroy_through_it_ends_the_session",
    ];
    destroy_leaves_entry: DestroyLeavesEntry => [
        "destroy::leaves_nothing_behind",
    ];
    destroy_torn: DestroyTorn => [
        "wait::ends_with_destroy",
        "cancel::of_destroy_leaves_all_or_nothing",
    ];
    expires_late: ExpiresLate => [
        "expiry::is_exact_after_create",
        "expiry::is_exact_after_commit",
        "expiry::is_exact_after_rotation",
        "expiry::is_exact_after_touch",
        "expiry::is_exact_under_a_lock",
    ];
    expires_early: ExpiresEarly => [
        "expiry::is_exact_after_create",
        "expiry::is_exact_after_commit",
        "expiry::is_exact_after_rotation",
        "expiry::is_exact_after_touch",
        "expiry::is_exact_under_a_lock",
    ];
    expires_by_seconds: ExpiresBySeconds => [
        "expiry::is_exact_after_create",
        "expiry::is_exact_after_commit",
        "expiry::is_exact_after_rotation",
        "expiry::is_exact_under_a_lock",
    ];
    expires_not_under_lock: ExpiresNotUnderLock => [
        "expiry::is_exact_under_a_lock",
        "expiry::is_the_end_for_every_operation",
    ];
    expiry_overflows: ExpiryOverflows => [
        "expiry::may_be_far_away",
    ];
    expiry_of_the_past_is_none: ExpiryOfThePastIsNone => [
        "create::a_deadline_that_has_come_is_never_seen",
    ];
    expiry_is_capped: ExpiryIsCapped => [
        "expiry::may_be_far_away",
        "expiry::does_not_come_without_a_deadline",
        "create::keeps_a_record_without_a_deadline",
    ];
    scan_skips: ScanSkips => [
        "scan::misses_none_that_lives_throughout",
        "race::a_scan_misses_none_that_lives_throughout",
    ];
    scan_lists_the_expired: ScanListsTheExpired => [
        "scan::lists_only_what_lives",
    ];
    scan_lists_tombstones: ScanListsTombstones => [
        "scan::lists_only_what_lives",
    ];
    scan_omits_locked: ScanOmitsLocked => [
        "scan::lists_only_what_lives",
    ];
    scan_ignores_limit: ScanIgnoresLimit => [
        "scan::lists_every_session_by_pages_of_any_size",
        "scan::lists_only_what_lives",
    ];
    scan_never_ends: ScanNeverEnds => [
        "scan::of_nothing_ends",
        "scan::lists_every_session_by_pages_of_any_size",
        "scan::lists_only_what_lives",
        "scan::misses_none_that_lives_throughout",
        "race::a_scan_misses_none_that_lives_throughout",
    ];
    scan_cursor_is_local: ScanCursorIsLocal => [
        "scan::goes_on_from_the_bytes_of_a_cursor",
    ];
    scan_locks: ScanLocks => [
        "scan::misses_none_that_lives_throughout",
        "cancel::of_scan_and_sweep_harms_no_session",
    ];
    sweep_returns_twice: SweepReturnsTwice => [
        "sweep::returns_each_once",
        "sweep::returns_no_more_than_asked_for",
        "sweep::leaves_nothing_behind",
        "race::sweepers_share_the_expired",
    ];
    sweep_takes_living: SweepTakesLiving => [
        "sweep::returns_the_expired_and_only_those",
        "sweep::returns_nothing_before_the_deadline",
        "sweep::leaves_what_was_given_longer_to_live",
        "sweep::returns_nothing_of_the_destroyed_and_the_moved",
        "sweep::leaves_nothing_behind",
    ];
    sweep_ignores_limit: SweepIgnoresLimit => [
        "sweep::returns_no_more_than_asked_for",
    ];
    sweep_forgets: SweepForgets => [
        "sweep::returns_the_expired_and_only_those",
        "sweep::returns_each_once",
        "sweep::returns_no_more_than_asked_for",
        "sweep::leaves_nothing_behind",
    ];
    sweep_leaves_tombstones: SweepLeavesTombstones => [
        "sweep::leaves_nothing_behind",
    ];
    sweep_in_two_steps: SweepInTwoSteps => [
        "race::sweepers_share_the_expired",
    ];
    sweep_returns_empty: SweepReturnsEmpty => [
        "sweep::returns_the_expired_and_only_those",
        "sweep::returns_each_once",
        "sweep::returns_no_more_than_asked_for",
        "race::sweepers_share_the_expired",
    ];
    drain_does_nothing: DrainDoesNothing => [
        "drain::gives_up_what_is_not_given_back",
    ];
    drain_waits_for_nobody: DrainIgnoresHolders => [
        "drain::waits_for_what_is_given_back",
    ];
    drain_waits_for_nothing: DrainIgnoresReleases => [
        "drain::waits_for_what_is_given_back",
        "drain::of_nothing_is_at_once_and_changes_nothing",
    ];
    full_removes_another: FullRemovesAnother => [
        "full::is_reported_and_nothing_is_lost",
    ];
    full_spends_the_lock: FullDisarmsTheLock => [
        "full::leaves_a_commit_its_lock_and_the_record",
    ];
    full_replaces_anyway: FullReplacesAnyway => [
        "full::leaves_the_record_of_a_replace",
    ];
    full_moves_anyway: FullMovesAnyway => [
        "full::leaves_a_session_where_it_is",
    ];
    full_for_good: FullForGood => [
        "full::ends_when_there_is_room",
    ];
    payload_is_text: PayloadIsText => [
        "owner::log_in_begins_a_session",
        "payload::every_byte",
        "payload::what_looks_like_markup",
        "payload::around_the_sizes_of_buffers",
        "payload::a_mebibyte",
        "payload::eight_mebibytes",
    ];
    payload_is_trimmed: PayloadIsTrimmed => [
        "payload::what_looks_like_markup",
        "payload::around_the_sizes_of_buffers",
    ];
    payload_is_cut: PayloadIsCut => [
        "payload::around_the_sizes_of_buffers",
        "payload::a_mebibyte",
        "payload::eight_mebibytes",
    ];
    payload_is_cut_late: PayloadIsCutLate => [
        "payload::eight_mebibytes",
    ];
    payload_empty_is_none: PayloadEmptyIsNone => [
        "payload::nothing_at_all",
    ];
    facts_are_cut: FactsAreCut => [
        "facts::of_the_longest_length_are_kept",
        "facts::are_those_of_the_last_write",
        "facts::are_kept_by_touch",
    ];
    facts_stay_on_commit: FactsStayOnCommit => [
        "facts::are_those_of_the_last_write",
    ];
    facts_stay_on_replace: FactsStayOnReplace => [
        "facts::are_those_of_the_last_write",
    ];
    facts_stay_without_others: FactsStayWithoutOthers => [
        "facts::are_those_of_the_last_write",
    ];
    facts_are_invented: FactsAreInvented => [
        "facts::are_none_where_there_are_none",
    ];
    facts_are_lost_on_rotate: FactsAreLostOnRotate => [
        "owner::log_in_gives_id_owner_and_moment_in_one_step",
        "facts::of_the_longest_length_are_kept",
        "facts::are_those_of_the_last_write",
        "facts::are_found_through_an_alias",
    ];
    facts_are_lost_by_aliases: FactsAreLostByAliases => [
        "facts::are_found_through_an_alias",
    ];
    facts_are_lost_on_touch: FactsAreLostOnTouch => [
        "facts::are_kept_by_touch",
    ];
    facts_are_lost_on_release: FactsAreLostOnRelease => [
        "facts::are_kept_when_nothing_is_written",
    ];
    facts_are_not_locked: FactsAreNotLocked => [
        "facts::of_the_longest_length_are_kept",
        "facts::are_kept_by_touch",
        "facts::are_kept_when_nothing_is_written",
    ];
    facts_are_not_listed: FactsAreNotListed => [
        "facts::of_the_longest_length_are_kept",
        "facts::are_kept_by_touch",
    ];
    facts_are_not_swept: FactsAreNotSwept => [
        "facts::are_swept_with_the_record",
    ];
    facts_are_not_compared: FactsAreNotCompared => [
        "facts::tell_records_apart",
    ];
    facts_hide_other_records: FactsHideOtherRecords => [
        "facts::of_other_records_than_sessions_are_kept",
    ];
    facts_count_as_payload: FactsCountAsPayload => [
        "scan::tells_the_lengths_of_payloads_or_nothing",
    ];
    errors_are_anonymous: ErrorsAreAnonymous => [
        "errors::name_the_operation_and_the_storage",
    ];
    usage_is_missing: UsageIsMissing => [
        "capabilities::are_those_the_profile_names",
        "capabilities::usage_follows_what_is_stored",
    ];
    usage_never_shrinks: UsageNeverShrinks => [
        "capabilities::usage_follows_what_is_stored",
    ];
    usage_ignores_payloads: UsageIgnoresPayloads => [
        "capabilities::usage_follows_what_is_stored",
    ];
    watch_is_missing: WatchIsMissing => [
        "capabilities::are_those_the_profile_names",
        "watch::wakes_after_every_write",
    ];
    watch_misses_creates: WatchMissesCreates => [
        "watch::wakes_after_every_write",
        "watch::of_many_sessions_wakes_each",
    ];
    watch_misses_replaces: WatchMissesReplaces => [
        "watch::wakes_after_every_write",
    ];
    watch_misses_arrivals: WatchMissesArrivals => [
        "watch::wakes_after_a_move_under_both_keys",
    ];
    watch_ends_the_key_it_is_given: WatchEndsTheKeyItIsGiven => [
        "watch::wakes_after_an_end",
    ];
    watch_misses_sweeps: WatchMissesSweeps => [
        "watch::wakes_after_a_sweep",
    ];
    watch_is_local: WatchIsLocal => [
        "watch::wakes_after_what_another_handle_does",
    ];
    watch_wakes_early: WatchWakesEarly => [
        "watch::wakes_after_every_write",
        "watch::wakes_after_an_end",
    ];
    watch_has_a_limit: WatchHasALimit => [
        "watch::of_many_sessions_wakes_each",
    ];
    watch_is_replaced: WatchIsReplaced => [
        "watch::of_one_session_wakes_all_tasks",
    ];
}

/// Only the immediate functions have the bug; through the futures the storage keeps its limit.
#[test]
fn full_not_at_once() {
    let [case, by_futures] = FULL_NOT_AT_ONCE;
    let by_functions = || {
        subject(Bug::FullNotImmediate)
            .immediate()
            .expect("it has plain functions")
    };
    let failure = failure(case, by_functions).expect("a limit that is not kept is noticed");
    assert!(failure.contains("has a limit"), "{failure}");
    assert_eq!(
        self::common::failure(by_futures, || subject(Bug::FullNotImmediate)),
        None
    );
}

const FULL_NOT_AT_ONCE: [&str; 2] = ["full::is_reported_and_nothing_is_lost"; 2];

#[test]
fn every_bug_is_caught() {
    let mut caught: BTreeSet<_> = PROOFS.iter().map(|(bug, _)| *bug).collect();
    caught.insert(Bug::FullNotImmediate);
    let missed: Vec<_> = Bug::ALL.iter().filter(|bug| !caught.contains(bug)).collect();
    assert!(missed.is_empty(), "nothing catches {missed:?}");
}

/// Groups of cases about what the core makes of a storage that keeps its contract: the population. Mistakes in the core
/// fail them; those of a storage that fail them fail simpler cases, too.
const ABOVE_STORAGES: [&str; 7] = ["owner", "owner_limit", "registry", "ending", "epoch", "audit", "crowd"];

#[test]
fn every_case_catches_something() {
    let named: BTreeSet<_> = PROOFS.iter().flat_map(|(_, cases)| cases.iter().copied()).collect();
    let idle: Vec<_> = Case::all()
        .iter()
        .map(Case::name)
        .filter(|name| !named.contains(name))
        .filter(|name| {
            !ABOVE_STORAGES
                .iter()
                .any(|group| name.starts_with(&format!("{group}::")))
        })
        .collect();
    assert!(idle.is_empty(), "these cases are not shown to catch anything: {idle:?}");
}

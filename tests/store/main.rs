//! The house server's store: one suite of promises, held against SQLite and against a real PostgreSQL, and what is each
//! one's own.

#![allow(clippy::disallowed_methods)] // The list is for the domain.
#![allow(clippy::unwrap_used)] // All of it is test.

mod devices;
mod frozen;
mod houses;
mod media;
mod people;
mod postgres;
mod reports;
mod samples;
mod sqlite;
#[path = "../support/postgres/mod.rs"]
mod support;

/// Makes a test of each function for each database.
macro_rules! contract {
    ($($part:ident: $($test:ident),+;)+) => {
        mod contract_on_sqlite {
            $($(
                #[tokio::test(flavor = "multi_thread")]
                async fn $test() {
                    let folder = tempfile::tempdir().expect("a folder");
                    let store = crate::samples::open(&crate::samples::file(&folder)).await;
                    crate::$part::$test(store).await;
                }
            )+)+
        }
        mod contract_on_postgres {
            $($(
                #[tokio::test(flavor = "multi_thread")]
                async fn $test() {
                    let url = crate::support::Server::shared().database();
                    crate::$part::$test(crate::samples::open(&url).await).await;
                }
            )+)+
        }
    };
}

contract! {
    houses:
        a_new_house_is_loaded_as_it_was_made,
        a_commit_writes_and_takes_away,
        numbers_come_back_exactly,
        a_commit_on_another_revision_is_a_conflict_and_leaves_no_trace,
        of_two_who_commit_at_once_exactly_one_wins,
        readers_see_whole_changes_only,
        only_the_newest_changes_are_kept,
        a_deleted_house_leaves_nothing,
        commits_are_heard;
    people:
        addresses_are_unique_whatever_their_case,
        a_user_is_changed_and_taken_away,
        members_have_roles,
        a_house_keeps_an_owner,
        two_owners_cannot_leave_at_once,
        sessions_end,
        api_tokens_are_revoked_and_go_with_their_user,
        a_set_up_link_is_good_once,
        a_newer_set_up_link_replaces_the_one_before,
        an_invitation_makes_a_member_once,
        a_loss_of_rights_is_heard;
    devices:
        a_box_is_approved_with_its_screen,
        an_enrolment_that_has_not_revealed_is_not_approved,
        an_enrolment_is_approved_once_under_a_race,
        a_stale_approval_leaves_the_enrolment_open,
        refused_and_expired_enrolments_stay_so,
        codes_are_unique_while_open,
        a_box_is_one_screen,
        a_screen_gets_another_box,
        a_box_is_let_in_again_without_a_change,
        a_revoked_box_is_shut_out,
        a_challenge_is_taken_once;
    media:
        media_are_kept_by_name,
        an_upload_goes_forward_and_becomes_a_file,
        old_uploads_are_found;
    reports:
        the_newest_report_is_kept,
        a_report_of_no_house_is_left_out,
        a_report_of_a_box_that_was_put_out_is_left_out,
        silent_screens_are_claimed_once,
        plays_are_stored_once,
        plays_are_read_in_pages,
        commands_are_taken_once_and_in_order,
        alerts_are_kept,
        what_has_expired_is_pruned;
}

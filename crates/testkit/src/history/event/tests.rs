use sessile_core::{OsEntropy, SessionId};

use super::*;

#[test]
fn lines_survive_the_way_and_cut_ones_do_not() {
    let key = SessionId::generate(&OsEntropy).key();
    let to = SessionId::generate(&OsEntropy).key();
    let mark = Some(Mark::first(9).next(11));
    let deadline = Some(Timestamp::from_millis(77));
    let write = Write { mark, deadline };
    let bare = Write {
        mark: None,
        deadline: None,
    };
    let wait = Duration::from_millis(1_500);
    let calls = [
        Call::Read { key },
        Call::Lock { key, wait },
        Call::Create { key, write },
        Call::Commit { key, write: bare },
        Call::Replace { key, write },
        Call::Rotate {
            key,
            to,
            write,
            grace: wait,
        },
        Call::Touch { key, deadline },
        Call::Touch { key, deadline: None },
        Call::Destroy { key },
    ];
    let calls = calls.map(|call| {
        let recorded = RecordedCall {
            process: 3,
            call,
            invoked: 1_000_000_007,
            clock_before: Timestamp::from_millis(5),
            completion: None,
        };
        Event::Invoked { number: 21, recorded }
    });
    let seen = Seen { key, mark, deadline };
    let refusals = KINDS.map(|(kind, _)| CallResult::Refused(kind));
    let results = [
        CallResult::Done,
        CallResult::Found(seen),
        CallResult::Missing,
        CallResult::Superseded,
        CallResult::Declined,
    ];
    let results = results.into_iter().chain(refusals).map(|result| {
        let (at, clock_after) = (u64::MAX, Timestamp::MAX);
        let completion = Completion {
            result,
            at,
            clock_after,
        };
        Event::Completed {
            process: 3,
            number: 21,
            completion,
        }
    });
    for event in calls.into_iter().chain(results) {
        let text = event.to_string();
        assert_eq!(text.parse(), Ok(event), "{text}");
        for cut in 0..text.len() {
            assert_eq!(
                text[..cut].parse::<Event>(),
                Err(ParseEventError),
                "{text} cut at {cut}"
            );
        }
    }
}

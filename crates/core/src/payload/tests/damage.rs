//! Corrupt and arbitrary bytes never cause a panic.

use bytes::Bytes;
use proptest::prelude::*;

use super::super::{AsOf, Payload};
use super::any::models;
use super::model::{BEGIN, model_of, rich};
use crate::clock::Timestamp;
use crate::expiration::Lifetime;

proptest! {
    #[test]
    fn a_changed_byte_in_any_place_is_survived(
        model in models(),
        place in any::<prop::sample::Index>(),
        mask in 1..=u8::MAX
    ) {
        let mut payload = model.payload().encode(BEGIN).to_vec();
        let place = place.index(payload.len());
        exercise(&payload[..place]);
        payload[place] ^= mask;
        exercise(&payload);
    }

    #[test]
    fn a_truncated_payload_is_refused(model in models()) {
        let mut decoded = model.payload();
        let payload = decoded.encode(BEGIN);
        for length in 0..payload.len() {
            prop_assert!(Payload::decode(payload.slice(..length)).is_err(), "{} of {}", length, payload.len());
        }
        let longer = [&payload[..], &[0]].concat();
        prop_assert!(Payload::decode(longer.into()).is_err());
        drop(model_of(&mut decoded));
    }

    #[test]
    fn arbitrary_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        exercise(&bytes);
        exercise(&[b"S\x01".as_slice(), &bytes].concat());
        exercise(&[b"S\x01\x00".as_slice(), &bytes].concat());
        exercise(&[b"S\x02\x04".as_slice(), &bytes].concat());
    }

    #[test]
    fn arbitrary_likely_bytes_are_survived(
        bytes in prop::collection::vec(prop_oneof![0u8..8, Just(0x80), Just(0xff)], 0..60)
    ) {
        exercise(&[b"S\x01".as_slice(), &bytes].concat());
    }
}

#[test]
fn every_change_of_a_single_byte_is_survived() {
    let payload = rich().payload().encode(BEGIN).to_vec();
    for place in 0..payload.len() {
        for byte in 0..=u8::MAX {
            let mut damaged = payload.clone();
            damaged[place] = byte;
            exercise(&damaged);
            damaged.truncate(place + 1);
            exercise(&damaged);
            let mut longer = payload.clone();
            longer.insert(place, byte);
            exercise(&longer);
        }
        let mut shorter = payload.clone();
        shorter.remove(place);
        exercise(&shorter);
    }
}

/// Applies every operation to the decoded payload. Checks only that each returns.
pub(super) fn exercise(bytes: &[u8]) {
    let Ok(mut decoded) = Payload::decode(Bytes::copy_from_slice(bytes)) else {
        return;
    };
    let late = AsOf {
        now: Timestamp::MAX,
        last_active: BEGIN.now,
    };
    let _ = (decoded.is_over(BEGIN.now), decoded.deadline(BEGIN.now), decoded.items());
    let _ = (decoded.shortest_window(), decoded.holds_transient());
    let _ = decoded.encode(BEGIN);
    let _ = model_of(&mut decoded);
    let _ = decoded.encode(late);
    let _ = decoded
        .value_map_mut(Some("new"), BEGIN, || Lifetime::ENDLESS)
        .map(drop);
    let _ = decoded.reverted().map(|mut reverted| model_of(&mut reverted));
    let _ = decoded.clone().purge(late, true);
    let _ = decoded.purge(BEGIN, false);
    let _ = decoded.remove_namespace("n", BEGIN);
    let _ = Payload::decode(decoded.encode(BEGIN));
}

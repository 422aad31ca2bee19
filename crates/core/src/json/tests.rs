//! The encoder writes the same as `serde_json`, and everything it writes can be decoded.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::checked::MAX_DEPTH;
use super::{CodecReason, encode};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Unit,
    New(Box<Shape>),
    Tuple(Box<Shape>, f64),
    Struct { inner: Box<Shape>, maybe: Option<f32> },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Everything {
    flag: bool,
    small: (i8, u8, i16, u16),
    large: (i32, u32, i64, u64),
    huge: (i128, u128),
    floats: [f64; 2],
    letter: char,
    text: String,
    none: Option<u8>,
    some: Option<u8>,
    unit: (),
    list: Vec<Shape>,
    map: BTreeMap<u8, String>,
    #[serde(flatten)]
    rest: HashMap<String, Value>,
}

fn everything() -> Everything {
    Everything {
        flag: true,
        small: (-1, 2, -3, 4),
        large: (-5, 6, i64::MIN, u64::MAX),
        huge: (i128::MIN, u128::MAX),
        floats: [0.1, f64::MAX],
        letter: 'ä',
        text: "\"quoted\"\n".into(),
        none: None,
        some: Some(1),
        unit: (),
        list: vec![
            Shape::New(Box::new(Shape::Unit)),
            Shape::Tuple(Box::new(Shape::Unit), -0.0),
            Shape::Struct {
                inner: Box::new(Shape::Unit),
                maybe: Some(1.5),
            },
        ],
        map: [(7, "seven".to_owned())].into(),
        rest: [("more".to_owned(), json!([null]))].into(),
    }
}

#[test]
fn the_encoder_writes_the_same_as_serde_json() {
    let json = encode(&everything()).expect("it can be written");
    assert_eq!(json, serde_json::to_vec(&everything()).expect("it can be written"));
    assert_eq!(
        serde_json::from_slice::<Everything>(&json).expect("it can be read"),
        everything()
    );
}

proptest! {
    #[test]
    fn any_text_and_any_finite_number_survive(
        text in ".{0,40}",
        number in prop::num::f32::ANY,
        list in prop::collection::vec(any::<f32>(), 0..4)
    ) {
        let value = (text, number, list);
        let finite = number.is_finite() && value.2.iter().all(|number| number.is_finite());
        match encode(&value) {
            Ok(json) => {
                prop_assert!(finite);
                prop_assert_eq!(serde_json::from_slice::<(String, f32, Vec<f32>)>(&json).unwrap(), value);
            }
            Err(reason) => prop_assert!(!finite && reason == CodecReason::NotFinite),
        }
    }
}

#[test]
fn numbers_that_are_not_finite_are_refused_at_any_depth() {
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let refused = [
            encode(&number),
            encode(&(number as f32)),
            encode(&Some(number)),
            encode(&[1.0, number]),
            encode(
                &json!({"a": 1})
                    .as_object()
                    .map(|_| BTreeMap::from([("a", vec![(1, number)])])),
            ),
            encode(&Shape::Tuple(Box::new(Shape::Unit), number)),
            encode(&Shape::Struct {
                inner: Box::new(Shape::Unit),
                maybe: Some(number as f32),
            }),
        ];
        assert!(
            refused.iter().all(|refused| *refused == Err(CodecReason::NotFinite)),
            "{number}: {refused:?}"
        );
    }
}

#[test]
fn a_value_that_cannot_be_serialised_is_refused() {
    let map = BTreeMap::from([((1, 2), 3)]);
    assert_eq!(encode(&map), Err(CodecReason::Unwritable));
}

/// Checks that a value of the maximum depth can be encoded and decoded, and that a deeper one is refused.
fn check_maximum_depth<T: Serialize + DeserializeOwned>(deep: impl Fn(usize) -> T) {
    let deepest = deep(MAX_DEPTH.into());
    let json = encode(&deepest).expect("it is not too deep");
    serde_json::from_slice::<T>(&json).expect("encoded JSON can be decoded");
    let deeper = deep(usize::from(MAX_DEPTH) + 1);
    assert_eq!(encode(&deeper), Err(CodecReason::TooDeep));
    let json = serde_json::to_vec(&deeper).expect("serde_json writes it");
    assert!(
        serde_json::from_slice::<T>(&json).is_err(),
        "it is refused without need"
    );
}

#[test]
fn values_too_deep_to_be_decoded_are_refused() {
    fn nest<T>(innermost: T, depth: usize, around: impl Fn(T) -> T) -> T {
        (0..depth).fold(innermost, |inner, _| around(inner))
    }
    check_maximum_depth(|depth| nest(json!(1), depth, |inner| json!([inner])));
    check_maximum_depth(|depth| nest(json!(1), depth, |inner| json!({"a": inner})));
    check_maximum_depth(|depth| nest(Shape::Unit, depth, |inner| Shape::New(Box::new(inner))));
    // A variant with several fields takes two levels: an object, and an array or object in it.
    check_maximum_depth(|depth| {
        let innermost = nest(Shape::Unit, depth % 2, |inner| Shape::New(Box::new(inner)));
        nest(innermost, depth / 2, |inner| Shape::Tuple(Box::new(inner), 0.5))
    });
    check_maximum_depth(|depth| {
        let innermost = nest(Shape::Unit, depth % 2, |inner| Shape::New(Box::new(inner)));
        nest(innermost, depth / 2, |inner| Shape::Struct {
            inner: Box::new(inner),
            maybe: None,
        })
    });
}

/// Without a limit this would overflow the stack.
#[test]
fn endless_nesting_is_refused() {
    struct Endless;
    impl Serialize for Endless {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_seq([Self])
        }
    }
    assert_eq!(encode(&Endless), Err(CodecReason::TooDeep));
}

//! Messages, one by one.

use serde_json::{Value, from_str, json};

use super::*;
use crate::policy::{DollarPolicy, OpenPolicy};
use crate::reply::{Reply, ReplyKind};

fn document(root: Value) -> Document {
    Document::new(root, crate::Options::DEFAULT.patch_versioning()).unwrap()
}

fn message(version: u64, seen: u64, changes: &Value) -> Vec<u8> {
    let mut message = vec![
        json!({"op": "replace", "path": "/_ver#c$", "value": version}),
        json!({"op": "test", "path": "/_ver#s", "value": seen}),
    ];
    message.extend(changes.as_array().unwrap().iter().cloned());
    Value::Array(message).to_string().into_bytes()
}

fn replace(path: &str, value: Value) -> Value {
    json!([{"op": "replace", "path": path, "value": value}])
}

fn answer(reply: &Reply) -> Value {
    from_str(&reply.body).unwrap()
}

/// The changes in a message, after its two versions.
fn changes(body: &Value) -> &[Value] {
    &body.as_array().unwrap()[2..]
}

#[test]
fn every_message_is_acknowledged_once() {
    let mut page = document(json!({"n$": 0}));
    let first = message(1, 0, &replace("/n$", json!(1)));
    let reply = page.receive(&first, &DollarPolicy, false).unwrap();
    let expected = json!([
        {"op": "replace", "path": "/_ver#s", "value": 1},
        {"op": "test", "path": "/_ver#c$", "value": 1},
    ]);
    assert_eq!(answer(&reply), expected);
    let again = page.receive(&first, &DollarPolicy, false).unwrap();
    assert_eq!((again.kind, again.body.as_str()), (ReplyKind::AlreadyApplied, "[]"));
    let alive = page.receive(b" [ ] ", &DollarPolicy, false).unwrap();
    assert_eq!((alive.kind, alive.body.as_str()), (ReplyKind::Heartbeat, "[]"));
    assert_eq!((page.server_version(), page.push()), (1, Ok(None)));
}

#[test]
fn the_forms_of_versions_are_answered_alike() {
    let mut page = document(json!({"n$": 0}));
    let pure = br#"[{"op":"test","path":"/_ver#c$","value":0},{"op":"replace","path":"/_ver#c$","value":1},
        {"op":"test","path":"/_ver#s","value":0},{"op":"replace","path":"/n$","value":1}]"#;
    let reply = page.receive(pure, &DollarPolicy, false).unwrap();
    let expected = json!([
        {"op": "test", "path": "/_ver#s", "value": 0},
        {"op": "replace", "path": "/_ver#s", "value": 1},
        {"op": "test", "path": "/_ver#c$", "value": 1},
    ]);
    assert_eq!(answer(&reply), expected);
    let ordered = br#"[{"op":"replace","path":"/_ver#c$","value":2},{"op":"replace","path":"/n$","value":3}]"#;
    let reply = page.receive(ordered, &DollarPolicy, false).unwrap();
    assert_eq!(
        answer(&reply),
        json!([{"op": "replace", "path": "/_ver#s", "value": 2}])
    );
}

#[test]
fn messages_that_come_early_wait_within_bounds() {
    let bounds = Bounds {
        queued_messages: 2,
        queued_distance: 5,
        ..Bounds::default()
    };
    let mut page = document(json!({"n$": 0})).with_bounds(bounds);
    let mut receive = |version| {
        page.receive(
            &message(version, 0, &replace("/n$", json!(version))),
            &DollarPolicy,
            false,
        )
    };
    assert_eq!(receive(3).unwrap().kind, ReplyKind::Queued);
    assert_eq!(receive(2).unwrap().kind, ReplyKind::Queued);
    assert_eq!(receive(2).unwrap().kind, ReplyKind::Queued);
    assert_eq!(receive(4).unwrap_err(), DocumentError::QueueFull);
    assert_eq!(receive(6).unwrap_err(), DocumentError::TooFarAhead);
    assert_eq!(receive((1 << 53) - 1).unwrap_err(), DocumentError::TooFarAhead);
    assert_eq!(receive(1).unwrap().kind, ReplyKind::Applied);
    assert_eq!((page.client_version(), page.server_version(), page.queued()), (3, 1, 0));
    assert_eq!(page.root(), &json!({"n$": 3}));
}

#[test]
fn a_value_that_both_have_written_is_sent_again() {
    let mut page = document(json!({"n$": 0}));
    page.set("/n$", json!(100)).unwrap();
    page.push().unwrap();
    let reply = page.receive(&message(1, 0, &replace("/n$", json!(2))), &DollarPolicy, false);
    assert_eq!(
        changes(&answer(&reply.unwrap())),
        replace("/n$", json!(2)).as_array().unwrap()
    );
    let reply = page.receive(&message(2, 2, &replace("/n$", json!(3))), &DollarPolicy, false);
    assert_eq!(changes(&answer(&reply.unwrap())), [] as [Value; 0]);
}

#[test]
fn an_edit_finds_the_element_that_has_moved() {
    let mut page = document(json!({"a": [{"t$": 0}, {"t$": 1}]}));
    page.insert("/a/0", json!({"t$": 9})).unwrap();
    page.push().unwrap();
    page.remove("/a/1").unwrap();
    let edit = message(1, 0, &replace("/a/1/t$", json!(5)));
    page.receive(&edit, &DollarPolicy, false).unwrap();
    assert_eq!(page.root(), &json!({"a": [{"t$": 9}, {"t$": 5}]}));
}

#[test]
fn an_edit_of_what_is_gone_is_left_out_or_refused() {
    let mut page = document(json!({"a": [{"t$": 0}], "n$": 0}));
    page.remove("/a/0").unwrap();
    page.push().unwrap();
    let both = json!([
        {"op": "replace", "path": "/a/0/t$", "value": 5},
        {"op": "replace", "path": "/n$", "value": 1},
    ]);
    let before = page.clone();
    let error = page.receive(&message(1, 0, &both), &DollarPolicy, true).unwrap_err();
    assert_eq!(error, DocumentError::Stale { path: "/a/0/t$".into() });
    assert_eq!(page, before);
    page.receive(&message(1, 0, &both), &DollarPolicy, false).unwrap();
    assert_eq!(page.root(), &json!({"a": [], "n$": 1}));
}

#[test]
fn an_edit_that_is_not_allowed_is_answered_with_the_value() {
    let mut page = document(json!({"n$": 0, "m": 1}));
    for (version, path, value, kept) in [(1, "/m", json!(7), json!(1)), (2, "/n$", json!("x"), json!(0))] {
        let edit = message(version, version - 1, &replace(path, value));
        let strict = page.receive(&edit, &DollarPolicy, true).unwrap_err();
        assert!(matches!(
            strict,
            DocumentError::ReadOnly { .. } | DocumentError::WrongType { .. }
        ));
        let reply = page.receive(&edit, &DollarPolicy, false).unwrap();
        assert_eq!(changes(&answer(&reply)), replace(path, kept).as_array().unwrap());
    }
    let unknown = page.receive(&message(3, 2, &replace("/x$", json!(1))), &DollarPolicy, false);
    assert_eq!(unknown.unwrap_err(), DocumentError::NoSuchPath { path: "/x$".into() });
    let version = page.receive(&message(3, 2, &replace("/_ver#s", json!(1))), &OpenPolicy, false);
    assert_eq!(version.unwrap_err(), DocumentError::Reserved);
    let ahead = page.receive(&message(3, 3, &replace("/n$", json!(1))), &DollarPolicy, false);
    assert_eq!(ahead.unwrap_err(), DocumentError::VersionOutOfRange);
}

#[test]
fn a_client_that_has_missed_too_much_gets_the_whole_state() {
    let bounds = Bounds {
        log_steps: 2,
        ..Bounds::default()
    };
    let mut page = document(json!({"n$": 0, "t": 0})).with_bounds(bounds);
    for t in 1..=4 {
        page.set("/t", json!(t)).unwrap();
        page.push().unwrap();
    }
    let reply = page.receive(&message(1, 0, &replace("/n$", json!(1))), &DollarPolicy, false);
    let state = json!({"n$": 0, "t": 4, "_ver#c$": 1, "_ver#s": 5});
    assert_eq!(
        changes(&answer(&reply.unwrap())),
        replace("", state).as_array().unwrap()
    );
}

#[test]
fn without_versions_a_message_is_applied_as_a_whole_or_not() {
    let mut page = Document::new(json!([1, 2]), crate::Options::DEFAULT).unwrap();
    let failing = br#"[{"op":"add","path":"/0","value":0},{"op":"test","path":"/1","value":2}]"#;
    let error = page.receive(failing, &OpenPolicy, false).unwrap_err();
    assert_eq!(error, DocumentError::TestFailed { path: "/1".into() });
    assert_eq!(page.root(), &json!([1, 2]));
    let passing = br#"[{"op":"add","path":"/0","value":0},{"op":"test","path":"/1","value":1.0}]"#;
    assert_eq!(page.receive(passing, &OpenPolicy, false).unwrap().body, "[]");
    assert_eq!(page.root(), &json!([0, 1, 2]));
}

#[test]
fn a_small_message_cannot_make_a_large_document() {
    let mut page = document(json!({"a": ["some text", "some more text"]}));
    let double = json!({"op": "copy", "from": "/a", "path": "/a/-"});
    let bomb = message(1, 0, &Value::Array(vec![double; 100]));
    let before = page.clone();
    assert_eq!(
        page.receive(&bomb, &OpenPolicy, false).unwrap_err(),
        DocumentError::TooLarge
    );
    assert_eq!(page, before);
}

#[test]
fn the_deepest_document_can_be_read_from_its_record() {
    let mut page = document(json!({"a": []}));
    let mut version = 0;
    loop {
        let deeper = json!([{"op": "add", "path": format!("/a{}/0", "/0".repeat(usize::try_from(version).unwrap())), "value": []}]);
        version += 1;
        match page.receive(&message(version, version - 1, &deeper), &OpenPolicy, false) {
            Ok(_) => {}
            Err(error) => break assert_eq!(error, DocumentError::TooLarge),
        }
    }
    assert!(version > 90);
    let root = page.root().clone();
    page.replace_root(root).unwrap();
    let record = serde_json::to_string(&page).unwrap();
    assert_eq!(from_str::<Document>(&record).unwrap(), page);
}

#[test]
fn a_structural_edit_that_meets_another_is_answered_with_the_whole_state() {
    let mut page = document(json!({"a": [1, 2, 3]}));
    page.insert("/a/0", json!(0)).unwrap();
    page.push().unwrap();
    let removal = json!([{"op": "remove", "path": "/a/1"}]);
    let reply = page.receive(&message(1, 0, &removal), &OpenPolicy, false).unwrap();
    let state = json!({"a": [0, 1, 3], "_ver#c$": 1, "_ver#s": 2});
    assert_eq!(changes(&answer(&reply)), replace("", state).as_array().unwrap());
}

#[test]
fn what_was_not_sent_does_not_meet_a_value_that_it_does_not_fit() {
    let mut page = document(json!({"box$": {"a": 0, "b": {}}}));
    page.set("/box$/b/c", json!(1)).unwrap();
    let edit = message(1, 0, &replace("/box$", json!({})));
    let reply = page.receive(&edit, &DollarPolicy, false).unwrap();
    let answer = answer(&reply);
    assert!(
        changes(&answer).iter().all(|change| change["path"] == "/box$"),
        "{answer}"
    );
    assert_eq!(page.root(), &json!({"box$": {}}));
}

#[test]
fn a_new_root_keeps_the_versions_going() {
    let mut page = document(json!({"n$": 0}));
    page.receive(&message(1, 0, &replace("/n$", json!(1))), &DollarPolicy, false)
        .unwrap();
    page.replace_root(json!({"m$": 5})).unwrap();
    page.set("/m$", json!(6)).unwrap();
    let push: Value = from_str(&page.push().unwrap().unwrap()).unwrap();
    let state = json!({"m$": 6, "_ver#c$": 1, "_ver#s": 2});
    assert_eq!(changes(&push), replace("", state).as_array().unwrap());
    assert_eq!(page.replace_root(json!([])), Err(DocumentError::NotAnObject));
    assert_eq!(page.replace_root(json!({"_ver#s": 0})), Err(DocumentError::Reserved));
}

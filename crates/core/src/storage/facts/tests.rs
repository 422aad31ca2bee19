use super::*;

const MOMENT: Timestamp = Timestamp::from_millis(1_700_000_000_000);

#[test]
fn elements_are_set_read_and_removed() {
    let client = ClientFacts::new()
        .address("203.0.113.7")
        .agent("curl/8")
        .label("office");
    let facts = Facts::NONE
        .with_client(&client)
        .with_owner(Some(("ada", MOMENT)))
        .with_epoch(3);
    let read = Facts::from_bytes(facts.as_bytes()).unwrap();
    assert_eq!(read, facts);
    assert_eq!((read.owner(), read.authenticated_at()), (Some("ada"), Some(MOMENT)));
    assert_eq!((read.client(), read.epoch()), (client, 3));
    assert!(read.is_session());
    let less = read.with_owner(None).with_client(&ClientFacts::new()).with_epoch(0);
    assert_eq!(less, Facts::NONE);
    assert!(Facts::of_role(Role::Owner).is_of_role(Role::Owner));
    assert!(!Facts::of_role(Role::Owner).is_session());
}

#[test]
fn unknown_elements_are_kept_in_their_order() {
    let bytes = b"\x01\x03ada\x63\x02xy";
    let facts = Facts::from_bytes(bytes).unwrap();
    assert_eq!(facts.as_bytes(), bytes);
    assert_eq!(facts.with_owner(None).as_bytes(), b"\x63\x02xy");
    assert_eq!(
        facts.with_owner(None).with_epoch(1).as_bytes(),
        b"\x06\x01\x01\x63\x02xy"
    );
}

#[test]
fn bytes_that_are_no_facts_are_refused() {
    let too_long = [&[0x63, 0x80, 0x08][..], &[0; 1_024]].concat();
    for bytes in [
        &b"\x01"[..],
        b"\x01\x04ada",
        b"\x01\x01\xff",
        b"\x02\x01a\x01\x01a",
        b"\x01\x01a\x01\x01a",
        b"\x02\x00",
        b"\x02\x02\x01\x01",
        b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02\x00",
        &too_long,
    ] {
        assert_eq!(Facts::from_bytes(bytes), Err(ParseFactsError), "{bytes:?}");
    }
}

#[test]
fn the_longest_facts_fit() {
    let long = "x".repeat(10_000);
    let client = ClientFacts::new().address(&*long).agent(&*long).label(&*long);
    let owner = "o".repeat(Facts::OWNER_MAX_LEN);
    let facts = Facts::NONE
        .with_client(&client)
        .with_owner(Some((&owner, Timestamp::MAX)));
    let facts = facts.with_epoch(u64::MAX);
    assert_eq!(facts.owner(), Some(&*owner));
    assert_eq!(facts.epoch(), u64::MAX);
    assert_eq!(Facts::from_bytes(facts.as_bytes()), Ok(facts));
}

#[test]
fn elements_of_later_versions_give_way() {
    let mut later = Facts::NONE.with_owner(Some(("ada", MOMENT))).as_bytes().to_vec();
    elements::push(&mut later, 99, &[7; 900]);
    let facts = Facts::from_bytes(&later).unwrap();
    let owner = "o".repeat(Facts::OWNER_MAX_LEN);
    let facts = facts.with_owner(Some((&owner, MOMENT)));
    assert_eq!(
        facts,
        Facts::NONE.with_owner(Some((&owner, MOMENT))),
        "the former owner does not stay"
    );
}

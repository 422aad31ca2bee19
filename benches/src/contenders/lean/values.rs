//! The payload: entries of a name and a value in JSON, each prefixed with its length.

use std::ops::Range;

use serde::Serialize;

/// Returns the range of the JSON of a value in the payload.
pub(super) fn find(payload: &[u8], name: &str) -> Option<Range<usize>> {
    entry(payload, name).map(|entry| entry.start + 1 + name.len() + 4..entry.end)
}

/// Stores a value, and replaces the value of the same name.
///
/// # Panics
///
/// Panics if the name is longer than 255 bytes, or if JSON cannot represent the value.
pub(super) fn put(payload: &mut Vec<u8>, name: &str, value: &(impl Serialize + ?Sized)) {
    if let Some(entry) = entry(payload, name) {
        payload.drain(entry);
    }
    payload.push(u8::try_from(name.len()).expect("names are short"));
    payload.extend_from_slice(name.as_bytes());
    let length = payload.len();
    payload.extend_from_slice(&[0; 4]);
    serde_json::to_writer(&mut *payload, value).expect("values are numbers and texts");
    let bytes = u32::try_from(payload.len() - length - 4).expect("values are not that long");
    payload[length..length + 4].copy_from_slice(&bytes.to_le_bytes());
}

/// Returns the range of the whole entry of a name.
fn entry(payload: &[u8], name: &str) -> Option<Range<usize>> {
    let mut start = 0;
    while let Some((name_length, rest)) = payload[start..].split_first() {
        let (found, rest) = rest.split_at(usize::from(*name_length));
        let value_length = u32::from_le_bytes(*rest.first_chunk()?);
        let end = start + 1 + found.len() + 4 + value_length as usize;
        if found == name.as_bytes() {
            return Some(start..end);
        }
        start = end;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json<'a>(payload: &'a [u8], name: &str) -> Option<&'a [u8]> {
        find(payload, name).map(|place| &payload[place])
    }

    #[test]
    fn the_last_value_of_a_name_is_found_among_others() {
        let mut payload = Vec::new();
        for (name, value) in [("count", 9), ("other", 1), ("count", 10)] {
            put(&mut payload, name, &value);
        }
        assert_eq!(json(&payload, "count"), Some(b"10".as_slice()));
        assert_eq!(json(&payload, "other"), Some(b"1".as_slice()));
        assert_eq!(json(&payload, "none"), None);
    }
}

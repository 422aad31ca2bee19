//! The changes between two values that keep the identity of elements.

use std::collections::HashMap;

use serde_json::Value;

use crate::path::Path;

/// One change; each applies to what the ones before it have left.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Edit {
    Set(Path, Value),
    Insert(Path, Value),
    Remove(Path),
}

/// The members that can name an element.
const KEYS: [&str; 5] = ["id", "Id", "ID", "key", "Key"];

/// The most pairs of elements that are compared with each other.
const MAX_PAIRS: usize = 1_000_000;

/// Returns the changes that make one value of the other.
pub(crate) fn edits(path: &Path, from: &Value, to: &Value) -> Vec<Edit> {
    let mut edits = Vec::new();
    compare(path, from, to, &mut edits);
    edits
}

fn compare(path: &Path, from: &Value, to: &Value, edits: &mut Vec<Edit>) {
    match (from, to) {
        _ if from == to => {}
        (Value::Object(from), Value::Object(to)) => {
            let gone = from.keys().filter(|name| !to.contains_key(*name));
            edits.extend(gone.map(|name| Edit::Remove(path.child(name))));
            for (name, value) in to {
                match from.get(name) {
                    Some(old) => compare(&path.child(name), old, value, edits),
                    None => edits.push(Edit::Set(path.child(name), value.clone())),
                }
            }
        }
        (Value::Array(from), Value::Array(to)) => arrays(path, from, to, edits),
        _ => edits.push(Edit::Set(path.clone(), to.clone())),
    }
}

fn arrays(path: &Path, from: &[Value], to: &[Value], edits: &mut Vec<Edit>) {
    let pairs = match key(from, to) {
        Some(key) => keyed(key, from, to),
        None => fill(common(from, to), from, to),
    };
    let mut kept = vec![false; from.len()];
    let mut partner = vec![None; to.len()];
    for (old, new) in pairs {
        kept[old] = true;
        partner[new] = Some(old);
    }
    let gone = (0..from.len()).rev().filter(|at| !kept[*at]);
    edits.extend(gone.map(|at| Edit::Remove(path.child(at.to_string()))));
    for (at, value) in to.iter().enumerate() {
        let place = path.child(at.to_string());
        match partner[at] {
            Some(old) => compare(&place, &from[old], value, edits),
            None => edits.push(Edit::Insert(place, value.clone())),
        }
    }
}

/// The member that names the elements of both arrays: each has it, as text or number, and no two share a value.
fn key(from: &[Value], to: &[Value]) -> Option<&'static str> {
    let names_all = |key: &&str| {
        [from, to].iter().all(|elements| {
            let values: Option<HashMap<String, ()>> =
                elements.iter().map(|value| Some((name(value, key)?, ()))).collect();
            values.is_some_and(|values| values.len() == elements.len())
        })
    };
    KEYS.into_iter().find(names_all)
}

fn name(value: &Value, key: &str) -> Option<String> {
    let name = value.get(key)?;
    (name.is_string() || name.is_number()).then(|| name.to_string())
}

/// Pairs elements of one name, as many as keep their order. Others are removed and inserted: clients treat `move` badly.
fn keyed(key: &str, from: &[Value], to: &[Value]) -> Vec<(usize, usize)> {
    let places: HashMap<_, _> = from
        .iter()
        .enumerate()
        .map(|(at, value)| (name(value, key), at))
        .collect();
    let found = to.iter().enumerate();
    let found: Vec<_> = found
        .filter_map(|(new, value)| Some((*places.get(&name(value, key))?, new)))
        .collect();
    longest_rise(&found)
}

/// The longest selection in which the first numbers rise, as the second ones do. Patience sorting.
fn longest_rise(pairs: &[(usize, usize)]) -> Vec<(usize, usize)> {
    let mut ends: Vec<usize> = Vec::new();
    let mut before = vec![None; pairs.len()];
    for (at, pair) in pairs.iter().enumerate() {
        let length = ends.partition_point(|end| pairs[*end].0 < pair.0);
        before[at] = length.checked_sub(1).map(|length| ends[length]);
        if length == ends.len() {
            ends.push(at);
        } else {
            ends[length] = at;
        }
    }
    let mut rise: Vec<_> = std::iter::successors(ends.last().copied(), |at| before[*at]).collect();
    rise.reverse();
    rise.into_iter().map(|at| pairs[at]).collect()
}

/// The longest common subsequence, after what both arrays begin and end with.
fn common(from: &[Value], to: &[Value]) -> Vec<(usize, usize)> {
    let start = from.iter().zip(to).take_while(|(old, new)| old == new).count();
    let (old, new) = (&from[start..], &to[start..]);
    let end = old.iter().rev().zip(new.iter().rev());
    let end = end.take_while(|(old, new)| old == new).count();
    let (old, new) = (&old[..old.len() - end], &new[..new.len() - end]);
    let mut pairs: Vec<_> = (0..start).map(|at| (at, at)).collect();
    if old.len().saturating_mul(new.len()) <= MAX_PAIRS {
        pairs.extend(subsequence(old, new).into_iter().map(|(i, j)| (i + start, j + start)));
    }
    pairs.extend((0..end).rev().map(|at| (from.len() - 1 - at, to.len() - 1 - at)));
    pairs
}

fn subsequence(from: &[Value], to: &[Value]) -> Vec<(usize, usize)> {
    let width = to.len() + 1;
    let mut lengths = vec![0_u32; (from.len() + 1) * width];
    for i in (0..from.len()).rev() {
        for j in (0..to.len()).rev() {
            lengths[i * width + j] = if from[i] == to[j] {
                lengths[(i + 1) * width + j + 1] + 1
            } else {
                lengths[(i + 1) * width + j].max(lengths[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j, mut pairs) = (0, 0, Vec::new());
    while i < from.len() && j < to.len() {
        if from[i] == to[j] {
            pairs.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if lengths[(i + 1) * width + j] >= lengths[i * width + j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    pairs
}

/// Pairs the elements between two common ones if there are as many on both sides: they have changed in place.
fn fill(common: Vec<(usize, usize)>, from: &[Value], to: &[Value]) -> Vec<(usize, usize)> {
    let (mut i, mut j, mut pairs) = (0, 0, Vec::new());
    for (old, new) in common.into_iter().chain([(from.len(), to.len())]) {
        if old - i == new - j {
            pairs.extend((i..old).zip(j..new));
        }
        pairs.push((old, new));
        (i, j) = (old + 1, new + 1);
    }
    pairs.pop();
    pairs
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn texts(from: &Value, to: &Value) -> Vec<String> {
        let show = |edit| match edit {
            Edit::Set(path, value) => format!("set {path} {value}"),
            Edit::Insert(path, value) => format!("insert {path} {value}"),
            Edit::Remove(path) => format!("remove {path}"),
        };
        edits(&Path::default(), from, to).into_iter().map(show).collect()
    }

    #[test]
    fn an_insertion_at_the_head_is_one_insertion() {
        assert_eq!(texts(&json!([1, 2, 3]), &json!([0, 1, 2, 3])), ["insert /0 0"]);
        assert_eq!(texts(&json!([1, 2, 3]), &json!([2, 3])), ["remove /0"]);
        assert_eq!(texts(&json!([1, 2, 3]), &json!([1, 5, 3])), ["set /1 5"]);
    }

    #[test]
    fn elements_with_a_key_are_changed_where_they_are() {
        let from = json!([{"id": 1, "n": "a"}, {"id": 2, "n": "b"}, {"id": 3, "n": "c"}]);
        let to = json!([{"id": 3, "n": "c"}, {"id": 1, "n": "x"}, {"id": 2, "n": "b"}]);
        let expected = ["remove /2", r#"insert /0 {"id":3,"n":"c"}"#, r#"set /1/n "x""#];
        assert_eq!(texts(&from, &to), expected);
    }

    #[test]
    fn objects_are_changed_member_by_member() {
        let (from, to) = (json!({"a": 1, "b": {"c": 1}}), json!({"b": {"c": 2}, "d": []}));
        assert_eq!(texts(&from, &to), ["remove /a", "set /b/c 2", "set /d []"]);
    }
}

//! [`Path`]: a JSON pointer as its tokens.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;

use crate::error::DocumentError;

/// A JSON pointer (RFC 6901): the members and indices on the way to a value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Path(Vec<String>);

impl Path {
    /// Parses a pointer.
    pub(crate) fn parse(text: &str) -> Result<Self, DocumentError> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let Some(tokens) = text.strip_prefix('/') else {
            return Err(DocumentError::BadPointer);
        };
        let tokens: Option<Vec<_>> = tokens.split('/').map(unescape).collect();
        tokens.map(Self).ok_or(DocumentError::BadPointer)
    }

    pub(crate) fn tokens(&self) -> &[String] {
        &self.0
    }

    pub(crate) fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The last token; `None` for the root.
    pub(crate) fn last(&self) -> Option<&str> {
        self.0.last().map(String::as_str)
    }

    /// The path of the array or object around; that of the root is the root.
    pub(crate) fn parent(&self) -> Self {
        Self(self.0[..self.0.len().saturating_sub(1)].to_vec())
    }

    pub(crate) fn child(&self, token: impl Into<String>) -> Self {
        let mut tokens = self.0.clone();
        tokens.push(token.into());
        Self(tokens)
    }

    pub(crate) fn replace_token(&mut self, at: usize, token: String) {
        self.0[at] = token;
    }

    pub(crate) fn is_at_or_below(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0)
    }

    pub(crate) fn is_below(&self, other: &Self) -> bool {
        self.0.len() > other.0.len() && self.is_at_or_below(other)
    }

    /// The value at this path.
    pub(crate) fn find<'a>(&self, root: &'a Value) -> Option<&'a Value> {
        self.0.iter().try_fold(root, |value, token| match value {
            Value::Object(members) => members.get(token),
            Value::Array(elements) => elements.get(index(token)?),
            _ => None,
        })
    }

    /// The value at this path, to be changed.
    pub(crate) fn find_mut<'a>(&self, root: &'a mut Value) -> Option<&'a mut Value> {
        self.0.iter().try_fold(root, |value, token| match value {
            Value::Object(members) => members.get_mut(token),
            Value::Array(elements) => elements.get_mut(index(token)?),
            _ => None,
        })
    }
}

/// Parses an index: digits without a leading zero.
pub(crate) fn index(token: &str) -> Option<usize> {
    let digits = token.bytes().all(|byte| byte.is_ascii_digit());
    let canonical = digits && (token == "0" || !token.starts_with('0'));
    canonical.then(|| token.parse().ok()).flatten()
}

fn unescape(token: &str) -> Option<String> {
    let mut rest = token.split('~');
    let mut plain = rest.next()?.to_owned();
    for part in rest {
        let (escape, part) = part.split_at_checked(1)?;
        plain.push(match escape {
            "0" => '~',
            "1" => '/',
            _ => return None,
        });
        plain += part;
    }
    Some(plain)
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for token in &self.0 {
            write!(f, "/{}", token.replace('~', "~0").replace('/', "~1"))?;
        }
        Ok(())
    }
}

impl Serialize for Path {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Path {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pointer_is_read_and_written() {
        for text in ["", "/", "/a/0", "/a~1b/~0", "/_ver#c$"] {
            assert_eq!(Path::parse(text).unwrap().to_string(), text);
        }
        for text in ["a", "/~", "/~2", "/a~"] {
            assert_eq!(Path::parse(text), Err(DocumentError::BadPointer), "{text}");
        }
    }

    #[test]
    fn indices_have_one_form() {
        assert_eq!(index("10"), Some(10));
        for token in ["01", "-", "", "+1", "1e0", "99999999999999999999999"] {
            assert_eq!(index(token), None, "{token}");
        }
        let root = json!({"a": [{"01": 1}]});
        assert_eq!(Path::parse("/a/0/01").unwrap().find(&root), Some(&json!(1)));
        assert_eq!(Path::parse("/a/00/01").unwrap().find(&root), None);
    }
}

//! [`IdPath`]: where in paths an id stands.

use std::fmt;

use sessile_core::SessionId;

/// The place of the id in the paths of an application: a route such as `/__default/{id}`.
///
/// The segment `{id}` is the id. Other segments in braces stand for any segment that is not empty, and all others for
/// themselves, byte by byte: paths are compared as they were sent, without percent-decoding, as routers do. More
/// segments may follow, so `/__default/{id}` also finds the id in `/__default/0123456789abcdef/reconnect`.
///
/// A segment of the form of an id elsewhere in a path is no id.
///
/// ```
/// use sessile_tower::{IdPath, IdPathError};
///
/// let documents = IdPath::new("/__default/{id}")?;
/// assert!(documents.find("/__default/0123456789abcdef/reconnect").is_some());
/// assert!(documents.find("/files/0123456789abcdef").is_none());
///
/// let carts = IdPath::new("/shops/{shop}/carts/{id}")?;
/// assert!(carts.find("/shops/7/carts/0123456789abcdef").is_some());
/// # Ok::<_, IdPathError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdPath {
    /// The segments before the id.
    before: Box<[Segment]>,
}

/// A segment of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Literal(Box<str>),
    Any,
}

impl IdPath {
    /// Parses a route: a path that begins with a slash and ends with the segment `{id}`.
    ///
    /// # Errors
    ///
    /// If the route has another form, or characters that are never part of a path in a request.
    pub fn new(route: &str) -> Result<Self, IdPathError> {
        let before = route.strip_suffix("/{id}").ok_or(IdPathError::NoId)?;
        if before.is_empty() {
            return Ok(Self { before: Box::default() });
        }
        let segments = before.strip_prefix('/').ok_or(IdPathError::NotAbsolute)?.split('/');
        let segments = segments.map(Segment::parse).collect::<Result<_, _>>()?;
        Ok(Self { before: segments })
    }

    /// Returns the id in a path, which is one without query and fragment.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<SessionId> {
        self.find_in(path.as_bytes())
    }

    pub(super) fn find_in(&self, path: &[u8]) -> Option<SessionId> {
        let mut segments = path.strip_prefix(b"/")?.split(|byte| *byte == b'/');
        for expected in &self.before {
            if !expected.is(segments.next()?) {
                return None;
            }
        }
        SessionId::parse_bytes(segments.next()?)
    }

    /// Returns the path of an id, unless other segments in it may be any.
    pub(super) fn of(&self, id: &SessionId) -> Option<String> {
        let mut path = String::new();
        for segment in &self.before {
            let Segment::Literal(text) = segment else {
                return None;
            };
            path.push('/');
            path.push_str(text);
        }
        path.push('/');
        path.push_str(id.expose());
        Some(path)
    }
}

impl Segment {
    fn parse(text: &str) -> Result<Self, IdPathError> {
        if text == "{id}" {
            return Err(IdPathError::SeveralIds);
        }
        let in_braces = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        let name = in_braces.unwrap_or(text);
        // The characters of RFC 3986, section 3.3. Of dots alone clients make another path.
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@%".contains(&byte);
        if name.is_empty() || [".", ".."].contains(&name) || !name.bytes().all(is_allowed) {
            return Err(IdPathError::InvalidSegment);
        }
        Ok(match in_braces {
            Some(_) => Self::Any,
            None => Self::Literal(text.into()),
        })
    }

    fn is(&self, segment: &[u8]) -> bool {
        match self {
            Self::Literal(text) => text.as_bytes() == segment,
            Self::Any => !segment.is_empty(),
        }
    }
}

/// A route that is not one of an [`IdPath`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdPathError {
    /// The route does not end with the segment `{id}`.
    NoId,
    /// The route has `{id}` twice.
    SeveralIds,
    /// The route does not begin with a slash.
    NotAbsolute,
    /// A segment is empty, consists of dots, or has characters that a path in a request cannot have.
    InvalidSegment,
}

impl fmt::Display for IdPathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoId => "the route does not end with the segment {id}",
            Self::SeveralIds => "the route has the segment {id} twice",
            Self::NotAbsolute => "the route does not begin with a slash",
            Self::InvalidSegment => "a segment of the route is empty or not one of a path",
        })
    }
}

impl std::error::Error for IdPathError {}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef";

    #[test]
    fn only_the_segment_after_the_known_ones_is_an_id() {
        let path = IdPath::new("/__default/{id}").unwrap();
        let found = |text: &str| path.find(text).map(|id| id.expose().to_owned());
        for good in ["", "/", "/reconnect", "/a/b//c", "/fedcba9876543210"] {
            assert_eq!(found(&format!("/__default/{ID}{good}")).as_deref(), Some(ID), "{good}");
        }
        for bad in [
            String::new(),
            "*".into(),
            "/".into(),
            "/__default".into(),
            "/__default/".into(),
            "/__default/short".into(),
            format!("/{ID}"),
            format!("__default/{ID}"),
            format!("//__default/{ID}"),
            format!("/__default//{ID}"),
            format!("/__DEFAULT/{ID}"),
            format!("/%5F%5Fdefault/{ID}"),
            format!("/__defaults/{ID}"),
            format!("/a/__default/{ID}"),
            format!("/__default/{ID};v=1"),
            format!("/__default/%30{}", &ID[1..]),
            format!("/__default/{ID}%20"),
            format!("/__default/{ID}é"),
            format!("/__default/{}", "a".repeat(129)),
            format!("/__default/{}", "a".repeat(60_000)),
        ] {
            assert_eq!(found(&bad), None, "{bad}");
        }
    }

    #[test]
    fn other_parameters_are_any_segment() {
        let path = IdPath::new("/shops/{shop}/carts/{id}").unwrap();
        assert!(path.find(&format!("/shops/7/carts/{ID}")).is_some());
        assert!(path.find(&format!("/shops/{ID}/carts/{ID}/items")).is_some());
        assert!(path.find(&format!("/shops//carts/{ID}")).is_none());
        assert!(path.find(&format!("/shops/{ID}/orders/{ID}")).is_none());
        assert_eq!(path.of(&SessionId::parse(ID).unwrap()), None);
        let root = IdPath::new("/{id}").unwrap();
        assert!(root.find(&format!("/{ID}")).is_some());
        assert_eq!(root.of(&SessionId::parse(ID).unwrap()).unwrap(), format!("/{ID}"));
    }

    #[test]
    fn routes_of_another_form_are_errors() {
        for (route, error) in [
            ("", IdPathError::NoId),
            ("/__default", IdPathError::NoId),
            ("/__default/{session}", IdPathError::NoId),
            ("/__default/{id}/x", IdPathError::NoId),
            ("/{id}/{id}", IdPathError::SeveralIds),
            ("__default/{id}", IdPathError::NotAbsolute),
            ("//{id}", IdPathError::InvalidSegment),
            ("/a//{id}", IdPathError::InvalidSegment),
            ("/../{id}", IdPathError::InvalidSegment),
            ("/a?b/{id}", IdPathError::InvalidSegment),
            ("/a b/{id}", IdPathError::InvalidSegment),
            ("/{a/{id}", IdPathError::InvalidSegment),
            ("/{}/{id}", IdPathError::InvalidSegment),
            ("/é/{id}", IdPathError::InvalidSegment),
        ] {
            assert_eq!(IdPath::new(route), Err(error), "{route}");
        }
    }
}

//! [`Request`]: what a line asks for.

use serde_json::Value;
use sessile::SessionId;

/// The longest name of a value, in bytes.
const MAX_KEY: usize = 128;

/// A request.
#[derive(Debug, PartialEq)]
pub(crate) enum Request {
    /// Begins another visit.
    Open(Opening),
    Get(String),
    Set(String, Value),
    Save,
    Logout,
    Help,
    Quit,
}

/// A request that begins another visit.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Opening {
    New,
    /// `None` if the text cannot be an id of anything.
    Attach(Option<SessionId>),
}

impl Request {
    /// Reads a line, or says what is wrong with it.
    pub(crate) fn parse(line: &str) -> Result<Self, &'static str> {
        let (verb, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        let rest = rest.trim();
        let alone = |request| match rest {
            "" => Ok(request),
            _ => Err("nothing comes after this request"),
        };
        match verb.to_ascii_uppercase().as_str() {
            "NEW" => alone(Self::Open(Opening::New)),
            "ATTACH" if rest.is_empty() => Err("ATTACH id"),
            "ATTACH" => Ok(Self::Open(Opening::Attach(SessionId::parse(rest)))),
            "GET" => key(rest).map(Self::Get).ok_or("GET key"),
            "SET" => {
                let (name, json) = rest.split_once(' ').ok_or("SET key json")?;
                let name = key(name).ok_or("SET key json")?;
                let value = serde_json::from_str(json).map_err(|_| "this value is not JSON")?;
                Ok(Self::Set(name, value))
            }
            "SAVE" => alone(Self::Save),
            "LOGOUT" => alone(Self::Logout),
            "HELP" => alone(Self::Help),
            "QUIT" => alone(Self::Quit),
            _ => Err("not a request; HELP lists them"),
        }
    }
}

fn key(text: &str) -> Option<String> {
    let fits = (1..=MAX_KEY).contains(&text.len()) && !text.contains(char::is_whitespace);
    fits.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_in_any_case_and_spacing() {
        let id = "0123456789abcdef";
        for (line, request) in [
            ("NEW", Request::Open(Opening::New)),
            ("new ", Request::Open(Opening::New)),
            (
                "ATTACH 0123456789abcdef",
                Request::Open(Opening::Attach(SessionId::parse(id))),
            ),
            ("ATTACH nobody", Request::Open(Opening::Attach(None))),
            ("Get  name", Request::Get("name".into())),
            (
                r#"SET name {"a": [1, 2]}"#,
                Request::Set("name".into(), serde_json::json!({"a": [1, 2]})),
            ),
            ("SAVE", Request::Save),
            ("LOGOUT", Request::Logout),
            ("HELP", Request::Help),
            ("QUIT", Request::Quit),
        ] {
            assert_eq!(Request::parse(line), Ok(request), "{line}");
        }
    }

    #[test]
    fn other_lines_are_refused() {
        let long = format!("GET {}", "k".repeat(MAX_KEY + 1));
        for line in [
            "",
            " ",
            "NEWS",
            "NEW one",
            "ATTACH",
            "GET",
            "GET a b",
            "SET",
            "SET a",
            "SET a ",
            "SET a {",
            "SET a 1 2",
            "SAVE it",
            &long,
        ] {
            assert!(Request::parse(line).is_err(), "{line}");
        }
    }
}

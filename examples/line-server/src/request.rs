//! [`Request`]: a parsed line.

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
    /// `None` if the text is not a valid id.
    Attach(Option<SessionId>),
}

impl Request {
    /// Parses a line, or returns an explanation of the error.
    pub(crate) fn parse(line: &str) -> Result<Self, &'static str> {
        let (command, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        let rest = rest.trim();
        let without_arguments = |request| match rest {
            "" => Ok(request),
            _ => Err("nothing comes after this request"),
        };
        match command.to_ascii_uppercase().as_str() {
            "NEW" => without_arguments(Self::Open(Opening::New)),
            "ATTACH" if rest.is_empty() => Err("ATTACH id"),
            "ATTACH" => Ok(Self::Open(Opening::Attach(SessionId::parse(rest)))),
            "GET" => key(rest).map(Self::Get).ok_or("GET key"),
            "SET" => {
                let (name, json) = rest.split_once(' ').ok_or("SET key json")?;
                let name = key(name).ok_or("SET key json")?;
                let value = serde_json::from_str(json).map_err(|_| "this value is not JSON")?;
                Ok(Self::Set(name, value))
            }
            "SAVE" => without_arguments(Self::Save),
            "LOGOUT" => without_arguments(Self::Logout),
            "HELP" => without_arguments(Self::Help),
            "QUIT" => without_arguments(Self::Quit),
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
    fn requests_are_parsed_in_any_case_and_spacing() {
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
    fn other_lines_are_rejected() {
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

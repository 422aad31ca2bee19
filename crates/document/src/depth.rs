//! The size of JSON values, measured without building text.

use std::io::{self, Write};

use serde_json::Value;

/// Returns the number of bytes of a value as JSON.
pub(crate) fn bytes(value: &Value) -> usize {
    let mut count = Count(0);
    serde_json::to_writer(&mut count, value).expect("a JSON value can be written");
    count.0
}

/// Returns the number of levels of a value: 1 for a scalar, one more for each array or object around it.
pub(crate) fn depth(value: &Value) -> usize {
    let inner = match value {
        Value::Array(elements) => elements.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    };
    inner + 1
}

struct Count(usize);

impl Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sizes_are_those_of_the_text() {
        let value = json!({"a": [1, {"b": null}], "c": "ü"});
        assert_eq!(bytes(&value), value.to_string().len());
        assert_eq!(depth(&value), 4);
        assert_eq!(depth(&json!([])), 1);
    }
}

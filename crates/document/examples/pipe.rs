//! The engine over lines of JSON, for tests with clients in other languages: `{"do": NAME, ...}` in, a line out.

use std::io::{self, BufRead, Write};

use serde_json::{Value, json};
use sessile_document::{Document, DocumentError, OpenPolicy, Options};

fn main() -> io::Result<()> {
    let mut document = Document::new(json!({}), Options::DEFAULT).expect("an empty object is a document");
    let mut output = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let command: Value = serde_json::from_str(&line?)?;
        let answer = run(&mut document, &command).unwrap_or_else(|error| json!({"error": error.to_string()}));
        writeln!(output, "{answer}")?;
        output.flush()?;
        // As between two visits, the document lies in a record.
        document = serde_json::from_str(&serde_json::to_string(&document)?)?;
    }
    Ok(())
}

fn run(document: &mut Document, command: &Value) -> Result<Value, DocumentError> {
    let text = |name: &str| command[name].as_str().unwrap_or_default();
    let (path, value) = (text("path"), command["value"].clone());
    match text("do") {
        "new" => {
            let versioned = command["versioned"] == json!(true);
            let options = if versioned {
                Options::DEFAULT.patch_versioning()
            } else {
                Options::DEFAULT
            };
            *document = Document::new(value, options)?;
            return Ok(json!({"state": document.establish()?}));
        }
        "set" => document.set(path, value)?,
        "insert" => document.insert(path, value)?,
        "remove" => drop(document.remove(path)?),
        "push" => return Ok(json!({"message": document.push()?})),
        "receive" => {
            let reply = document.receive(text("message").as_bytes(), &OpenPolicy, false)?;
            let refused = reply.refused.map(|error| error.to_string());
            return Ok(json!({"message": reply.body, "refused": refused}));
        }
        "root" => {}
        _ => return Ok(json!({"error": "there is no such command"})),
    }
    Ok(json!({"root": document.root(), "unsent": document.has_unsent()}))
}

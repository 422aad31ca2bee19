//! Messages of clients to a document.

use serde_json::{Value, json};
use sessile_document::{Bounds, Document, OpenPolicy, Options, ReplyKind};

/// Small, so that what a message can multiply stays within the memory of a check.
const BOUNDS: Bounds = Bounds {
    document_bytes: 2048,
    message_bytes: 4096,
    operations: 50,
    queued_messages: 3,
    queued_distance: 8,
    queued_bytes: 4096,
    log_steps: 8,
    unsent_operations: 8,
    unsent_bytes: 1024,
};

/// Sends each line of the input to a document with versions, and to one without.
///
/// # Panics
///
/// If a refused message has changed anything, an accepted one is not answered by the next version, a bound is exceeded,
/// or the document cannot be read from its record.
pub fn document(input: &[u8]) {
    for options in [Options::DEFAULT.patch_versioning(), Options::DEFAULT] {
        let root = json!({"n$": 0, "a": [1, {"b": "c"}, []], "o": {}});
        let mut document = Document::new(root, options)
            .expect("it is an object")
            .with_bounds(BOUNDS);
        for line in input.split(|byte| *byte == b'\n').take(8) {
            document.insert("/a/0", json!(2)).ok();
            receive(&mut document, line);
            document.push().expect("there are versions left");
            document = reread(&document);
        }
    }
}

fn receive(document: &mut Document, message: &[u8]) {
    let before = document.clone();
    let Ok(reply) = document.receive(message, &OpenPolicy, false) else {
        assert_eq!(*document, before, "a refused message changed the document");
        return;
    };
    let answer: Value = serde_json::from_str(&reply.body).expect("an answer is JSON");
    assert!(answer.is_array(), "{answer}");
    let sent = document.server_version() - before.server_version();
    let is_answer = reply.kind == ReplyKind::Applied && before.has_versions();
    assert_eq!(sent, u64::from(is_answer), "{answer}");
    assert!(document.client_version() >= before.client_version());
    assert!(document.queued() <= BOUNDS.queued_messages);
    // What is removed gives no room back before the next message.
    assert!(document.root().to_string().len() <= BOUNDS.document_bytes + 64);
}

/// The document as the next visit finds it.
fn reread(document: &Document) -> Document {
    let record = serde_json::to_string(document).expect("a document can be written");
    assert!(record.len() <= 16 * 1024, "the record takes {} bytes", record.len());
    let read: Document = serde_json::from_str(&record).expect("a document can be read from its record");
    let read = read.with_bounds(BOUNDS);
    assert_eq!(read, *document);
    read
}

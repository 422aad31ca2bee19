//! Every chapter of the guide is listed among those whose examples run.

use std::fs;
use std::path::Path;

#[test]
fn no_chapter_is_forgotten() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let listed = include_str!("../src/guide.rs");
    let chapters: Vec<String> = fs::read_dir(root.join("docs"))
        .expect("the guide is in docs/")
        .map(|entry| {
            entry
                .expect("the folder can be read")
                .file_name()
                .into_string()
                .expect("a plain name")
        })
        .filter(|name| name.ends_with(".md"))
        .collect();
    assert!(!chapters.is_empty());
    for chapter in chapters {
        assert!(
            listed.contains(&format!("\"docs/{chapter}\"")),
            "docs/{chapter} is not in src/guide.rs"
        );
    }
}

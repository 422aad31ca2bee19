//! The documents beside the code are complete and refer to items that exist.

use std::fs;
use std::path::Path;

#[test]
fn every_chapter_is_listed() {
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

/// Cases of the kit that chapters name exist.
#[test]
fn named_cases_exist_in_the_kit() {
    let groups: Vec<&str> = cases().filter_map(|name| Some(name.split_once("::")?.0)).collect();
    for chapter in [WRITE_A_STORAGE, PROMISES] {
        let named = code_in(chapter);
        let named = named.filter(|code| code.split_once("::").is_some_and(|(group, _)| groups.contains(&group)));
        let mut count = 0;
        for name in named {
            assert!(cases().any(|case| case == name), "there is no case {name}");
            count += 1;
        }
        assert!(count > 0, "the chapter names some");
    }
}

/// Files and folders that the chapter on promises names exist.
#[test]
fn named_files_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let tops = ["crates/", "examples/"];
    let named = code_in(PROMISES).filter(|code| tops.iter().any(|top| code.starts_with(top)));
    let mut count = 0;
    for path in named {
        assert!(root.join(path).exists(), "there is no {path}");
        count += 1;
    }
    assert!(count > 20, "the chapter names many");
}

/// The store that the chapter shows is that of the example, which passes the kit.
#[test]
fn the_shown_store_is_the_example() {
    let shown = WRITE_A_STORAGE
        .split("```rust\n")
        .find_map(|block| store_in(block.split("```").next()?));
    let example = store_in(include_str!("../../../examples/custom-storage/src/lib.rs"));
    assert!(
        example
            .as_ref()
            .is_some_and(|store| store.contains("impl RecordStore for MapStore"))
    );
    assert_eq!(shown, example);
}

/// The store itself: neither its imports, nor its use in `main`, nor what is visible of it.
fn store_in(source: &str) -> Option<String> {
    let (_, store) = source.split_once("type Map =")?;
    let store = store.split("\nfn main()").next()?;
    Some(store.trim_end().replace("pub struct", "struct"))
}

const WRITE_A_STORAGE: &str = include_str!("../../../docs/write-a-storage.md");
const PROMISES: &str = include_str!("../../../docs/promises.md");

fn code_in(chapter: &str) -> impl Iterator<Item = &str> {
    chapter.split('`').skip(1).step_by(2)
}

fn cases() -> impl Iterator<Item = &'static str> {
    let of_storages = sessile_testkit::Case::all().iter().map(sessile_testkit::Case::name);
    let of_record_stores = sessile_testkit::StoreCase::all()
        .iter()
        .map(sessile_testkit::StoreCase::name);
    of_storages.chain(of_record_stores)
}

//! The documents beside the code are complete and refer to items that exist.

use std::fs;
use std::path::Path;

#[test]
fn every_chapter_is_listed() {
    let listed = include_str!("../src/guide.rs");
    let chapters = pages_in("crates/sessile/guide");
    assert!(!chapters.is_empty());
    for (chapter, _) in chapters {
        assert!(
            listed.contains(&format!("\"{chapter}\"")),
            "guide/{chapter} is not in src/guide.rs"
        );
    }
}

/// Links between chapters lead to files on GitHub, and to modules in the documentation.
#[test]
fn links_between_chapters_lead_to_both_forms() {
    let modules = include_str!("../src/guide.rs");
    let chapters = pages_in("crates/sessile/guide");
    let mut count = 0;
    for (name, text) in &chapters {
        for (position, _) in text.match_indices("](") {
            let target = &text[position + 2..];
            let relative = !target.starts_with("http") && !target.starts_with('#');
            assert!(!relative, "{name}: a link without a label: {target:.60}");
        }
        let definitions = text
            .lines()
            .filter_map(|line| line.strip_prefix('[')?.split_once("]: "));
        for (label, target) in definitions.filter(|(_, target)| !target.starts_with("http")) {
            let (file, fragment) = target.split_once('#').unwrap_or((target, ""));
            if target == "two-requests.svg" {
                assert!(
                    modules.contains(&format!("/guide/{target}\n")),
                    "{name}: {target} is not in src/guide.rs"
                );
                continue;
            }
            let (_, linked) = chapters
                .iter()
                .find(|(name, _)| name == file)
                .unwrap_or_else(|| panic!("{name}: there is no {file}"));
            let heading = fragment.replace('-', " ");
            assert!(
                fragment.is_empty() || headings(linked).any(|it| it == heading),
                "{name}: {target}"
            );
            assert!(
                modules.contains(&format!("\n[{label}]: crate::{label}\n")),
                "{name}: {label} is not in src/guide.rs"
            );
            count += 1;
        }
    }
    assert!(count > 5, "chapters refer to each other");
}

/// The pages outside of the package are no doctests. The program of the front page has a test of its own.
#[test]
fn pages_outside_of_the_guide_have_no_other_examples() {
    for (name, text) in pages_in(".").into_iter().chain(pages_in("docs")) {
        let examples = text.matches("```rust").count();
        assert_eq!(examples, usize::from(name == "README.md"), "{name}");
    }
}

/// Returns the names and texts of the Markdown files in a folder of the repository.
fn pages_in(folder: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder);
    fs::read_dir(&folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .map(|path| {
            let name = path.file_name().and_then(|name| name.to_str()).expect("a plain name");
            (name.to_owned(), fs::read_to_string(&path).expect("a readable page"))
        })
        .collect()
}

/// Returns the headings of a page, in lower case.
fn headings(page: &str) -> impl Iterator<Item = String> {
    let lines = page.lines().filter(|line| line.starts_with('#'));
    lines.map(|line| line.trim_start_matches('#').trim().to_lowercase())
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

const WRITE_A_STORAGE: &str = include_str!("../guide/write-a-storage.md");
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

/// The table of metrics names each metric that the code reports, and no other.
#[test]
fn the_table_of_metrics_is_complete() {
    let chapter = include_str!("../guide/observing.md");
    let names = |text: &str| {
        let words = text.split(|c: char| !(c.is_ascii_lowercase() || c == '_'));
        let metrics = words.filter(|word| word.starts_with("sessile_") && word.len() > "sessile_session".len());
        metrics.map(Into::into).collect::<std::collections::BTreeSet<String>>()
    };
    let sources = ["src/telemetry.rs", "src/wrappers/metered.rs"].map(|file| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core").join(file);
        let source = fs::read_to_string(path).expect("the source is there");
        let constants = source.lines().filter(|line| line.starts_with("const "));
        constants.collect::<String>()
    });
    let reported = names(&sources.concat());
    assert!(reported.len() > 5, "{reported:?}");
    assert_eq!(names(chapter), reported);
}

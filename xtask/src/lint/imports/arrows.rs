//! [`Arrow`]: a file that uses an item of another file.

use super::modules::{ModuleId, Modules, ROOT};
use super::paths::UsedPath;

/// One file uses an item that another one defines.
#[derive(Debug)]
pub(super) struct Arrow {
    pub(super) from: String,
    pub(super) to: String,
    /// The line and the path in the file that uses it.
    pub(super) line: usize,
    pub(super) path: String,
}

/// The number of re-exports that are followed for one name. It ends circles of re-exports.
const MOST_HOPS: usize = 16;

/// Returns the arrows of a crate by the rules of [`super`].
pub(super) fn arrows(modules: &Modules) -> Vec<Arrow> {
    let mut arrows = Vec::new();
    for (id, module) in modules.iter() {
        let imports = module.imports.iter().filter_map(|import| {
            let target = resolve(modules, id, &import.path.segments, MOST_HOPS)?;
            let is_of_a_child = modules.is_at_or_above(id, target);
            (!(import.is_re_export && is_of_a_child)).then_some((&import.path, target))
        });
        let used = module.used.iter().filter_map(|path| {
            let target = resolve(modules, id, &path.segments, MOST_HOPS)?;
            Some((path, target))
        });
        for (path, target) in imports.chain(used) {
            arrows.extend(arrow(modules, id, path, target));
        }
    }
    arrows
}

fn arrow(modules: &Modules, from: ModuleId, path: &UsedPath, to: ModuleId) -> Option<Arrow> {
    // The module whose file it is: a module within a file is a part of that file.
    let mut of_file = to;
    while let Some(parent) = modules.get(of_file).parent
        && modules.get(parent).file == modules.get(of_file).file
    {
        of_file = parent;
    }
    if modules.is_at_or_above(of_file, from) {
        return None;
    }
    Some(Arrow {
        from: modules.get(from).file.clone(),
        to: modules.get(to).file.clone(),
        line: path.line,
        path: path.segments.join("::"),
    })
}

/// Returns the module that defines the item a path leads to, or `None` if it leads out of the crate.
fn resolve(modules: &Modules, from: ModuleId, path: &[String], hops: usize) -> Option<ModuleId> {
    let (first, mut rest) = path.split_first()?;
    let mut at = match first.as_str() {
        "crate" => ROOT,
        "self" => from,
        "super" => modules.get(from).parent?,
        // A path may begin with the name of a child.
        name => *modules.get(from).children.get(name)?,
    };
    while let Some((name, tail)) = rest.split_first() {
        let module = modules.get(at);
        at = match name.as_str() {
            "super" => module.parent?,
            name => match module.children.get(name) {
                Some(child) => *child,
                None => return Some(definition(modules, at, name, hops)),
            },
        };
        rest = tail;
    }
    Some(at)
}

/// Returns the module that defines a name which a module has, defined there or imported.
fn definition(modules: &Modules, at: ModuleId, name: &str, hops: usize) -> ModuleId {
    let module = modules.get(at);
    if hops == 0 || module.items.contains(name) {
        return at;
    }
    let imports = module.imports.iter();
    let named = imports.clone().filter(|import| import.name.as_deref() == Some(name));
    let mut named = named.filter_map(|import| resolve(modules, at, &import.path.segments, hops - 1));
    if let Some(found) = named.next() {
        return found;
    }
    let globs = imports.filter(|import| import.name.is_none());
    let globs = globs.filter_map(|import| resolve(modules, at, &import.path.segments, hops - 1));
    let found = globs.map(|glob| definition(modules, glob, name, hops - 1));
    found
        .into_iter()
        .find(|module| modules.get(*module).items.contains(name))
        .unwrap_or(at)
}

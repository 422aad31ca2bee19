//! The paths that a file uses, as they are written.

use syn::visit::{self, Visit};
use syn::{Attribute, Ident, ImplItemFn, Item, ItemFn, ItemUse, UseTree, Visibility};

use super::modules::is_for_tests;

/// A path, and the line it is written in.
#[derive(Debug, Clone)]
pub(super) struct UsedPath {
    pub(super) segments: Vec<String>,
    pub(super) line: usize,
}

impl UsedPath {
    /// Expects at least one segment.
    fn new(segments: &[Ident]) -> Self {
        Self {
            line: segments.last().map_or(0, |segment| segment.span().start().line),
            segments: segments.iter().map(Ident::to_string).collect(),
        }
    }
}

/// One name that a `use` brings into scope, or all of a module.
#[derive(Debug, Clone)]
pub(super) struct Import {
    pub(super) path: UsedPath,
    /// The name within the importing module, or `None` for `*`.
    pub(super) name: Option<String>,
    /// Whether other modules can use the name.
    pub(super) is_re_export: bool,
}

/// Returns the names that a `use` brings into scope.
pub(super) fn imports(item: &ItemUse) -> Vec<Import> {
    let mut imports = Vec::new();
    // With two colons in front, the path begins with the name of another crate.
    if item.leading_colon.is_none() {
        let is_re_export = !matches!(item.vis, Visibility::Inherited);
        let mut prefix = Vec::new();
        add_imports(&item.tree, &mut prefix, is_re_export, &mut imports);
    }
    imports
}

fn add_imports(tree: &UseTree, prefix: &mut Vec<Ident>, is_re_export: bool, imports: &mut Vec<Import>) {
    let mut add = |segments: &[Ident], name: Option<String>| {
        let path = UsedPath::new(segments);
        imports.push(Import {
            path,
            name,
            is_re_export,
        });
    };
    let with = |name: &Ident| {
        let mut segments = prefix.clone();
        // `use path::{self}` imports the path itself.
        if name != "self" || segments.is_empty() {
            segments.push(name.clone());
        }
        segments
    };
    match tree {
        UseTree::Path(path) => {
            prefix.push(path.ident.clone());
            add_imports(&path.tree, prefix, is_re_export, imports);
            prefix.pop();
        }
        UseTree::Group(group) => {
            for tree in &group.items {
                add_imports(tree, prefix, is_re_export, imports);
            }
        }
        UseTree::Name(name) => {
            let segments = with(&name.ident);
            add(&segments, segments.last().map(Ident::to_string));
        }
        UseTree::Rename(rename) => add(&with(&rename.ident), Some(rename.rename.to_string())),
        UseTree::Glob(_) if !prefix.is_empty() => add(prefix, None),
        _ => {}
    }
}

/// Returns the paths of more than one segment in the code of an item, those of imports within functions included.
pub(super) fn used_in(item: &Item) -> Vec<UsedPath> {
    let mut visitor = Visitor::default();
    visitor.visit_item(item);
    visitor.paths
}

#[derive(Debug, Default)]
struct Visitor {
    paths: Vec<UsedPath>,
}

impl<'ast> Visit<'ast> for Visitor {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() && path.segments.len() > 1 {
            let segments: Vec<Ident> = path.segments.iter().map(|segment| segment.ident.clone()).collect();
            self.paths.push(UsedPath::new(&segments));
        }
        visit::visit_path(self, path);
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.paths.extend(imports(item).into_iter().map(|import| import.path));
    }

    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        if !function.attrs.iter().any(is_for_tests) {
            visit::visit_item_fn(self, function);
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        if !function.attrs.iter().any(is_for_tests) {
            visit::visit_impl_item_fn(self, function);
        }
    }

    /// Paths in attributes and visibilities use nothing.
    fn visit_attribute(&mut self, _: &'ast Attribute) {}

    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}

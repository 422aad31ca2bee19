//! [`Modules`]: the modules of a crate, their items and the paths they use.

use std::collections::{BTreeMap, BTreeSet};

use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, ExprLit, Item, ItemMod, Lit, Meta, Token};

use super::super::sources::Sources;
use super::paths::{self, Import, UsedPath};
use crate::Failure;

/// The index of a module.
pub(super) type ModuleId = usize;

/// The root of every crate.
pub(super) const ROOT: ModuleId = 0;

/// The modules of a crate that product code consists of.
#[derive(Debug, Default)]
pub(super) struct Modules {
    all: Vec<Module>,
}

/// A module, be it a file or a part of one.
#[derive(Debug)]
pub(super) struct Module {
    pub(super) parent: Option<ModuleId>,
    pub(super) children: BTreeMap<String, ModuleId>,
    /// The path of its file below `src`.
    pub(super) file: String,
    /// The folder of the files of its children, empty or with `/` at its end.
    folder: String,
    /// The names it defines.
    pub(super) items: BTreeSet<String>,
    pub(super) imports: Vec<Import>,
    /// The paths in its code, without those of its imports.
    pub(super) used: Vec<UsedPath>,
}

impl Modules {
    /// Parses a crate, beginning with `lib.rs`.
    pub(super) fn parse(sources: &Sources) -> Result<Self, Failure> {
        let mut modules = Self::default();
        modules.add_file(None, "lib.rs".to_owned(), String::new(), sources)?;
        Ok(modules)
    }

    pub(super) fn get(&self, id: ModuleId) -> &Module {
        &self.all[id]
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (ModuleId, &Module)> {
        self.all.iter().enumerate()
    }

    /// Returns the modules that have files as children.
    pub(super) fn parents(&self) -> impl Iterator<Item = ModuleId> {
        let has_files = |(_, module): &(ModuleId, &Module)| {
            let mut children = module.children.values().map(|child| self.get(*child));
            children.any(|child| child.file != module.file)
        };
        self.iter().filter(has_files).map(|(id, _)| id)
    }

    /// Returns the child of a module that a file belongs to: a file, or a folder with `/` at its end. `None` for the
    /// file of the module itself, and for files elsewhere.
    pub(super) fn child_with(&self, parent: ModuleId, file: &str) -> Option<String> {
        let parent = self.get(parent);
        let children = parent.children.values().map(|child| self.get(*child));
        let mut files = children.filter(|child| child.file != parent.file);
        let child = files.find(|child| file == child.file || file.starts_with(&child.folder))?;
        let has_folder = child.children.values().any(|id| self.get(*id).file != child.file);
        Some(if has_folder {
            child.folder.clone()
        } else {
            child.file.clone()
        })
    }

    /// Returns whether a module is another one or above it.
    pub(super) fn is_at_or_above(&self, above: ModuleId, module: ModuleId) -> bool {
        let mut at = Some(module);
        while let Some(id) = at {
            if id == above {
                return true;
            }
            at = self.get(id).parent;
        }
        false
    }

    fn add_file(
        &mut self,
        parent: Option<ModuleId>,
        path: String,
        folder: String,
        sources: &Sources,
    ) -> Result<ModuleId, Failure> {
        let text = sources.get(&path).ok_or_else(|| format!("{path} is not there"))?;
        let file = syn::parse_file(text).map_err(|error| format!("{path} does not parse: {error}"))?;
        let id = self.add(parent, path, folder);
        self.add_items(id, &file.items, sources)?;
        Ok(id)
    }

    fn add(&mut self, parent: Option<ModuleId>, file: String, folder: String) -> ModuleId {
        self.all.push(Module {
            parent,
            children: BTreeMap::new(),
            file,
            folder,
            items: BTreeSet::new(),
            imports: Vec::new(),
            used: Vec::new(),
        });
        self.all.len() - 1
    }

    fn add_items(&mut self, id: ModuleId, items: &[Item], sources: &Sources) -> Result<(), Failure> {
        let compiled = |item: &&Item| !attributes(item).iter().any(is_for_tests);
        for item in items.iter().filter(compiled) {
            match item {
                Item::Mod(module) => self.add_child(id, module, sources)?,
                Item::Use(import) => self.all[id].imports.extend(paths::imports(import)),
                item => {
                    self.all[id].items.extend(name_of(item));
                    self.all[id].used.extend(paths::used_in(item));
                }
            }
        }
        Ok(())
    }

    fn add_child(&mut self, parent: ModuleId, module: &ItemMod, sources: &Sources) -> Result<(), Failure> {
        let name = module.ident.to_string();
        let Module { file, folder, .. } = self.get(parent);
        let below = format!("{folder}{name}/");
        let child = if let Some((_, items)) = &module.content {
            let file = file.clone();
            let child = self.add(Some(parent), file, below);
            self.add_items(child, items, sources)?;
            child
        } else {
            let beside = format!("{folder}{name}.rs");
            let path = if sources.contains_key(&beside) {
                beside
            } else {
                format!("{below}mod.rs")
            };
            self.add_file(Some(parent), path, below, sources)?
        };
        self.all[parent].children.insert(name, child);
        Ok(())
    }
}

fn name_of(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(ident.to_string())
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Returns whether an attribute removes an item from every build but those of tests and fuzzers.
pub(super) fn is_for_tests(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg")
        && attribute
            .parse_args::<Meta>()
            .is_ok_and(|condition| implies_tests(&condition))
}

/// Returns whether the value of a condition `feature = ..` is the feature of the fuzzer.
fn is_fuzzing(value: &Expr) -> bool {
    matches!(value, Expr::Lit(ExprLit { lit: Lit::Str(name), .. }) if name.value() == "__fuzzing")
}

fn implies_tests(condition: &Meta) -> bool {
    let parts = |list: &syn::MetaList| {
        let parts = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
        parts.map_or_else(|_| Vec::new(), |parts| parts.into_iter().collect())
    };
    match condition {
        Meta::Path(path) => ["test", "doctest"].iter().any(|name| path.is_ident(name)),
        Meta::NameValue(value) => value.path.is_ident("feature") && is_fuzzing(&value.value),
        Meta::List(list) if list.path.is_ident("any") => parts(list).iter().all(implies_tests),
        Meta::List(list) if list.path.is_ident("all") => parts(list).iter().any(implies_tests),
        _ => false,
    }
}

//! Changes by the server, recorded as they are made.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Document;
use crate::diff::{self, Edit};
use crate::error::DocumentError;
use crate::operation::Room;
use crate::path::{Path, index};
use crate::step::{Kind, Step};

impl Document {
    /// Sets the value at a pointer: a member, new or not, an element that is there, or a new one at the end of an array.
    /// The root is [replaced](Self::replace_root). A value that is there already is no change.
    ///
    /// # Errors
    ///
    /// [`NoSuchPath`](DocumentError::NoSuchPath) if nothing can be put there; [`BadPointer`](DocumentError::BadPointer);
    /// [`Reserved`](DocumentError::Reserved); [`TooLarge`](DocumentError::TooLarge).
    pub fn set(&mut self, pointer: &str, value: Value) -> Result<(), DocumentError> {
        let path = Path::parse(pointer)?;
        match path.find(&self.root) {
            Some(current) if *current == value => Ok(()),
            Some(_) => self.put(Kind::Replace, path, value),
            None => self.put_new(path, value),
        }
    }

    /// Replaces the value at a pointer, which must be there.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    pub fn replace(&mut self, pointer: &str, value: Value) -> Result<(), DocumentError> {
        let path = Path::parse(pointer)?;
        if path.find(&self.root).is_none() {
            return Err(missing(&path));
        }
        self.set(pointer, value)
    }

    /// Inserts an element into an array, before the one that is there; `-` as the last token, or the length of the
    /// array, is its end. In an object, it sets a member.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    pub fn insert(&mut self, pointer: &str, value: Value) -> Result<(), DocumentError> {
        let path = Path::parse(pointer)?;
        match path.parent().find(&self.root) {
            Some(Value::Array(_)) if !path.is_root() => self.put_new(path, value),
            _ => self.set(pointer, value),
        }
    }

    /// Removes a member or an element, and returns it; `None` if there is none.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set); the root cannot be removed.
    pub fn remove(&mut self, pointer: &str) -> Result<Option<Value>, DocumentError> {
        let path = Path::parse(pointer)?;
        self.check_reserved(&path)?;
        let Some(last) = path.last() else {
            return Err(missing(&path));
        };
        if path.find(&self.root).is_none() {
            return Ok(None);
        }
        let (kind, removed) = match path.parent().find_mut(&mut self.root) {
            Some(Value::Object(members)) => (Kind::Drop, members.remove(last)),
            Some(Value::Array(elements)) => (Kind::Cut, index(last).map(|at| elements.remove(at))),
            _ => return Ok(None),
        };
        self.unsent.record(Step::new(kind, path), None, &self.bounds);
        Ok(removed)
    }

    /// Replaces the whole document. Clients get the whole state; the versions go on.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn replace_root(&mut self, root: Value) -> Result<(), DocumentError> {
        self.put(Kind::Replace, Path::default(), root)
    }

    /// Changes the document, or the part at a pointer, through a type of the application. The changes are recorded one
    /// by one: elements of arrays keep their identity, by a member `id`, `Id`, `ID`, `key` or `Key` that all have,
    /// otherwise by the longest common subsequence.
    ///
    /// Members that the type does not have are lost, unless it [keeps](https://serde.rs/attr-flatten.html) them.
    ///
    /// ```
    /// use serde::{Deserialize, Serialize};
    /// use serde_json::json;
    /// use sessile_document::{Document, Options};
    ///
    /// #[derive(Serialize, Deserialize)]
    /// struct View { names: Vec<String> }
    ///
    /// let mut document = Document::new(json!({"names": ["Ada", "Grace"]}), Options::DEFAULT)?;
    /// document.edit("", |view: &mut View| view.names.insert(0, "Emmy".into()))?;
    /// let push = document.push()?.expect("a name is new");
    /// assert_eq!(push, r#"[{"op":"add","path":"/names/0","value":"Emmy"}]"#);
    /// # Ok::<(), sessile_document::DocumentError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`View`](DocumentError::View) if the value does not fit the type, or cannot be written; otherwise as
    /// [`set`](Self::set). Nothing is changed then.
    pub fn edit<T, R>(&mut self, pointer: &str, change: impl FnOnce(&mut T) -> R) -> Result<R, DocumentError>
    where
        T: Serialize + DeserializeOwned,
    {
        let current = self.get(pointer)?.ok_or_else(|| DocumentError::NoSuchPath {
            path: pointer.to_owned(),
        })?;
        let mut view: T = T::deserialize(current).map_err(DocumentError::View)?;
        let result = change(&mut view);
        let changed = serde_json::to_value(&view).map_err(DocumentError::View)?;
        self.change_to(pointer, &changed)?;
        Ok(result)
    }

    /// Changes the value at a pointer into another by the smallest changes that keep the identity of elements.
    ///
    /// # Errors
    ///
    /// As [`edit`](Self::edit).
    pub fn change_to(&mut self, pointer: &str, value: &Value) -> Result<(), DocumentError> {
        let path = Path::parse(pointer)?;
        let current = path.find(&self.root).ok_or_else(|| missing(&path))?;
        let edits = diff::edits(&path, current, value);
        let before = self.clone();
        let result = edits.into_iter().try_for_each(|edit| self.apply_edit(edit));
        if result.is_err() {
            *self = before;
        }
        result
    }

    fn apply_edit(&mut self, edit: Edit) -> Result<(), DocumentError> {
        match edit {
            Edit::Set(path, value) => self.set(&path.to_string(), value),
            Edit::Insert(path, value) => self.insert(&path.to_string(), value),
            Edit::Remove(path) => self.remove(&path.to_string()).map(drop),
        }
    }

    /// Puts a value where there is none.
    fn put_new(&mut self, path: Path, value: Value) -> Result<(), DocumentError> {
        let parent = path.parent();
        match (parent.find(&self.root), path.last()) {
            (Some(Value::Object(_)), _) => self.put(Kind::Add, path, value),
            (Some(Value::Array(elements)), Some(token)) => {
                let at = if token == "-" {
                    Some(elements.len())
                } else {
                    index(token)
                };
                let at = at.filter(|at| *at <= elements.len()).ok_or_else(|| missing(&path))?;
                self.put(Kind::Insert, parent.child(at.to_string()), value)
            }
            _ => Err(missing(&path)),
        }
    }

    /// Puts a value at a path that the kind of the change fits.
    fn put(&mut self, kind: Kind, path: Path, value: Value) -> Result<(), DocumentError> {
        self.check_reserved(&path)?;
        if path.is_root() {
            self.check_root(&value)?;
            Room::of(&Value::Null, self.bounds.document_bytes).take(&value, &path)?;
            self.root = value;
        } else {
            Room::of(&self.root, self.bounds.document_bytes).take(&value, &path)?;
            let around = path.parent();
            let around = around.find_mut(&mut self.root);
            match (around, path.last()) {
                (Some(Value::Object(members)), Some(name)) => drop(members.insert(name.to_owned(), value)),
                (Some(Value::Array(elements)), Some(token)) => {
                    let at = index(token).ok_or_else(|| missing(&path))?;
                    match kind {
                        Kind::Insert => elements.insert(at, value),
                        _ => elements[at] = value,
                    }
                }
                _ => return Err(missing(&path)),
            }
        }
        let value = path.find(&self.root);
        self.unsent.record(Step::new(kind, path.clone()), value, &self.bounds);
        Ok(())
    }
}

fn missing(path: &Path) -> DocumentError {
    DocumentError::NoSuchPath { path: path.to_string() }
}

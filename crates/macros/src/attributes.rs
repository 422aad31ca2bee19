//! Parsing of the `#[session(...)]` attributes.

use proc_macro2::Span;
use syn::meta::ParseNestedMeta;
use syn::{Attribute, Error, Expr, LitStr, Path, Result};

use crate::case::Case;
use crate::kind::Kind;

/// The options of a struct.
#[derive(Default)]
pub(crate) struct StructOptions {
    pub(crate) rename_all: Option<Case>,
    pub(crate) krate: Option<Path>,
}

impl StructOptions {
    pub(crate) fn read(attributes: &[Attribute]) -> Result<Self> {
        let mut options = Self::default();
        each_option(attributes, |option| match name_of(&option).as_str() {
            "rename_all" => {
                let name: LitStr = option.value()?.parse()?;
                let case = Case::named(&name.value()).ok_or_else(|| {
                    let message = format!("`{}` is not a known case; known are {}", name.value(), Case::known());
                    Error::new(name.span(), message)
                })?;
                set_once(&option, &mut options.rename_all, case)
            }
            "crate" => {
                let path: LitStr = option.value()?.parse()?;
                let parsed = path.parse_with(Path::parse_mod_style).map_err(|_| {
                    let message = "expected the path of a crate or module, such as `sessile_core`";
                    Error::new(path.span(), message)
                })?;
                set_once(&option, &mut options.krate, parsed)
            }
            name => Err(option.error(format!(
                "`{name}` is not an option of a struct; known are `rename_all` and `crate`"
            ))),
        })?;
        Ok(options)
    }
}

/// The options of a field.
#[derive(Default)]
pub(crate) struct FieldOptions {
    pub(crate) rename: Option<LitStr>,
    pub(crate) expiration: Option<Expr>,
    pub(crate) aliases: Vec<LitStr>,
    pub(crate) on_mismatch: Option<OnMismatch>,
    pub(crate) migrate: Option<Expr>,
}

/// The policy for a stored value that is not of the field's type.
#[derive(Debug, Clone, Copy)]
pub(crate) enum OnMismatch {
    Fail,
    Unset,
    /// With the span of the option, for the error if the type has no default.
    Default(Span),
}

impl FieldOptions {
    pub(crate) fn read(kind: Kind, attributes: &[Attribute]) -> Result<Self> {
        let mut options = Self::default();
        let is_value = kind == Kind::Values;
        each_option(attributes, |option| match name_of(&option).as_str() {
            "rename" => {
                let name = name_in(&option)?;
                set_once(&option, &mut options.rename, name)
            }
            "alias" if is_value => {
                options.aliases.push(name_in(&option)?);
                Ok(())
            }
            "on_mismatch" if is_value => {
                let name: LitStr = option.value()?.parse()?;
                let policy = match name.value().as_str() {
                    "fail" => OnMismatch::Fail,
                    "unset" => OnMismatch::Unset,
                    "default" => OnMismatch::Default(name.span()),
                    other => {
                        let message = format!("`{other}` is not known here; known are `fail`, `unset` and `default`");
                        return Err(Error::new(name.span(), message));
                    }
                };
                set_once(&option, &mut options.on_mismatch, policy)
            }
            "migrate" if is_value => {
                let migrate: Expr = option.value()?.parse()?;
                set_once(&option, &mut options.migrate, migrate)
            }
            "expiration" => {
                let expiration: Expr = option.value()?.parse()?;
                set_once(&option, &mut options.expiration, expiration)
            }
            name if is_value => Err(option.error(format!(
                "`{name}` is not an option of a value; known are `rename`, `alias`, `expiration`, `on_mismatch` and \
                 `migrate`"
            ))),
            name => Err(option.error(format!(
                "`{name}` is not an option of a namespace; known are `rename` and `expiration`"
            ))),
        })?;
        Ok(options)
    }
}

/// Calls `read` for each option in the `session` attributes.
fn each_option(attributes: &[Attribute], mut read: impl FnMut(ParseNestedMeta<'_>) -> Result<()>) -> Result<()> {
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("session"))
        .try_for_each(|attribute| attribute.parse_nested_meta(&mut read))
}

/// Parses the value of an option as a name.
fn name_in(option: &ParseNestedMeta<'_>) -> Result<LitStr> {
    let name: LitStr = option.value()?.parse()?;
    if name.value().is_empty() {
        return Err(Error::new(name.span(), "a name cannot be empty"));
    }
    Ok(name)
}

fn name_of(option: &ParseNestedMeta<'_>) -> String {
    let segments = option.path.segments.iter().map(|segment| segment.ident.to_string());
    segments.collect::<Vec<_>>().join("::")
}

fn set_once<T>(option: &ParseNestedMeta<'_>, target: &mut Option<T>, value: T) -> Result<()> {
    if target.replace(value).is_some() {
        return Err(option.error(format!("`{}` is given twice", name_of(option))));
    }
    Ok(())
}

//! [`Declaration`]: a struct, parsed as a list of keys.

use std::collections::HashMap;
use std::iter;

use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{
    Attribute, Data, DeriveInput, Error, Expr, Field, Fields, Ident, LitStr, Path, Result, Type, Visibility,
    parse_quote,
};

use crate::attributes::{FieldOptions, OnMismatch, StructOptions};
use crate::case::Case;
use crate::kind::Kind;

/// A valid declaration.
pub(crate) struct Declaration<'a> {
    pub(crate) ident: &'a Ident,
    /// The crate that exports the traits and the key types.
    pub(crate) krate: Path,
    pub(crate) keys: Vec<DeclaredKey<'a>>,
}

/// A field, and the key it becomes.
pub(crate) struct DeclaredKey<'a> {
    pub(crate) field: &'a Ident,
    pub(crate) ty: &'a Type,
    pub(crate) visibility: &'a Visibility,
    /// The attributes that are copied to the constant: documentation and deprecation.
    pub(crate) attributes: Vec<&'a Attribute>,
    /// The identifier of the constant.
    pub(crate) constant: Ident,
    /// The name under which the value or namespace is stored.
    pub(crate) name: String,
    /// The span of that name, for messages.
    name_span: Span,
    pub(crate) expiration: Option<Expr>,
    /// Former names under which the value may be stored.
    pub(crate) aliases: Vec<LitStr>,
    pub(crate) on_mismatch: Option<OnMismatch>,
    pub(crate) migrate: Option<Expr>,
}

impl<'a> Declaration<'a> {
    /// Parses a declaration. Fails with all errors in it, not only the first.
    pub(crate) fn read(kind: Kind, input: &'a DeriveInput) -> Result<Self> {
        let fields = named_fields(kind, input)?;
        let options = StructOptions::read(&input.attrs)?;

        let mut errors = None;
        let mut keys = Vec::new();
        for field in fields {
            match DeclaredKey::read(kind, field, &input.vis, options.rename_all) {
                Ok(declared) => keys.push(declared),
                Err(error) => add_error(&mut errors, error),
            }
        }
        refuse_duplicates(&keys, &mut errors);
        match errors {
            Some(errors) => Err(errors),
            None => Ok(Self {
                ident: &input.ident,
                krate: options.krate.unwrap_or_else(|| parse_quote!(::sessile)),
                keys,
            }),
        }
    }
}

impl<'a> DeclaredKey<'a> {
    fn read(kind: Kind, field: &'a Field, struct_visibility: &'a Visibility, rename_all: Option<Case>) -> Result<Self> {
        let options = FieldOptions::read(kind, &field.attrs)?;
        let ident = field.ident.as_ref().expect("named fields have names");
        let bare = ident.unraw().to_string();

        let (name, name_span) = match options.rename {
            Some(rename) => (rename.value(), rename.span()),
            None => (
                rename_all.map_or_else(|| bare.clone(), |case| case.apply(&bare)),
                ident.span(),
            ),
        };
        if name.is_empty() {
            return Err(Error::new(
                ident.span(),
                "nothing is left of this name; give it one with `rename`",
            ));
        }
        Ok(Self {
            field: ident,
            ty: &field.ty,
            visibility: match field.vis {
                Visibility::Inherited => struct_visibility,
                _ => &field.vis,
            },
            attributes: field
                .attrs
                .iter()
                .filter(|attribute| attribute.path().is_ident("doc") || attribute.path().is_ident("deprecated"))
                .collect(),
            constant: Ident::new(&bare.to_uppercase(), ident.span()),
            name,
            name_span,
            expiration: options.expiration,
            aliases: options.aliases,
            on_mismatch: options.on_mismatch,
            migrate: options.migrate,
        })
    }
}

/// Returns the fields of a struct with named fields and without generic parameters. Refuses anything else.
fn named_fields(kind: Kind, input: &DeriveInput) -> Result<impl Iterator<Item = &Field>> {
    let refuse = |span, found| {
        let message = format!(
            "{found} cannot declare {}: write a struct with named fields",
            kind.plural()
        );
        Err(Error::new(span, message))
    };
    let fields = match &input.data {
        Data::Enum(data) => return refuse(data.enum_token.span, "an enum"),
        Data::Union(data) => return refuse(data.union_token.span, "a union"),
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => &fields.named,
            Fields::Unnamed(fields) => return refuse(fields.span(), "a tuple struct"),
            Fields::Unit => return refuse(input.ident.span(), "a unit struct"),
        },
    };
    let generics = &input.generics;
    let parameters = (!generics.params.is_empty()).then(|| generics.span());
    if let Some(span) = parameters.or_else(|| generics.where_clause.as_ref().map(Spanned::span)) {
        let message = format!(
            "a generic struct cannot declare {}: a declaration names each type once, for the whole program",
            kind.plural()
        );
        return Err(Error::new(span, message));
    }
    Ok(fields.iter())
}

/// Adds an error for each stored name and each constant that two fields share.
fn refuse_duplicates(keys: &[DeclaredKey<'_>], errors: &mut Option<Error>) {
    let mut names: HashMap<String, &Ident> = HashMap::new();
    let mut constants: HashMap<String, &Ident> = HashMap::new();
    for declared in keys {
        let own = (declared.name.clone(), declared.name_span);
        let aliases = declared.aliases.iter().map(|alias| (alias.value(), alias.span()));
        for (name, span) in iter::once(own).chain(aliases) {
            let message = |first| format!("the name `{name}` is already that of the field `{first}`");
            if let Some(first) = names.insert(name.clone(), declared.field) {
                add_error(errors, Error::new(span, message(first)));
            }
        }
        if let Some(first) = constants.insert(declared.constant.to_string(), declared.field) {
            let message = format!(
                "the fields `{first}` and `{}` would both become the constant `{}`",
                declared.field, declared.constant
            );
            add_error(errors, Error::new(declared.field.span(), message));
        }
    }
}

fn add_error(errors: &mut Option<Error>, error: Error) {
    match errors {
        Some(errors) => errors.combine(error),
        None => *errors = Some(error),
    }
}

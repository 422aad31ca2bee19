//! What a declaration becomes.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::Path;
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use crate::attributes::OnMismatch;
use crate::declaration::{Declaration, Entry};

/// What is declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Values,
    Namespaces,
}

impl Kind {
    /// The things declared, for messages.
    pub(crate) fn plural(self) -> &'static str {
        match self {
            Self::Values => "values",
            Self::Namespaces => "namespaces",
        }
    }
}

pub(crate) fn expand(kind: Kind, declaration: &Declaration<'_>) -> TokenStream {
    let Declaration { ident, krate, entries } = declaration;
    let trait_name = match kind {
        Kind::Values => quote!(Values),
        Kind::Namespaces => quote!(Namespaces),
    };
    let constants = entries.iter().map(|entry| constant(kind, declaration, entry));
    let uses = uses_of_fields(declaration);

    // Constants that nothing uses need no `allow(dead_code)`: rustc does not report them in the code of a derive.
    quote! {
        impl #ident {
            #(#constants)*
        }

        #[automatically_derived]
        impl #krate::#trait_name for #ident {}

        #uses
    }
}

fn constant(kind: Kind, declaration: &Declaration<'_>, entry: &Entry<'_>) -> TokenStream {
    let Entry {
        field,
        ty,
        visibility,
        attributes,
        constant,
        name,
        expiration,
        aliases,
        on_mismatch,
        migrate,
        ..
    } = entry;

    // Code that rustc may complain about is placed where the field's type or expression stands, but it is still the
    // macro's code: lints for what a person writes do not apply to it.
    let at_type = Span::mixed_site().located_at(ty.span());
    let krate = located_at(&declaration.krate, at_type);
    let key = match kind {
        Kind::Values => quote_spanned!(at_type=> #krate::Key::<Self, #ty>),
        Kind::Namespaces => quote_spanned!(at_type=> #krate::NamespaceKey::<Self, #ty>),
    };
    let made = quote_spanned!(at_type=> #key::declare(#name));
    let expiring = expiration.as_ref().map(|expiration| {
        let at_expression = Span::mixed_site().located_at(expiration.span());
        quote_spanned!(at_expression=> .expiring(|| ::core::convert::Into::into(#expiration)))
    });
    let aliases = (!aliases.is_empty()).then(|| quote_spanned!(at_type=> .aliases(&[#(#aliases),*])));
    let on_mismatch = on_mismatch.map(|policy| match policy {
        OnMismatch::Fail => quote_spanned!(at_type=> .on_mismatch(#krate::OnMismatch::Fail)),
        OnMismatch::Unset => quote_spanned!(at_type=> .on_mismatch(#krate::OnMismatch::Unset)),
        OnMismatch::Default(said) => {
            let default = quote_spanned!(said=> <#ty as ::core::default::Default>::default);
            quote_spanned!(at_type=> .on_mismatch(#krate::OnMismatch::Default(#default)))
        }
    });
    let migrate = migrate.as_ref().map(|migrate| {
        let at_expression = Span::mixed_site().located_at(migrate.span());
        quote_spanned!(at_expression=> .migrate(#migrate))
    });
    let documented = attributes.iter().any(|attribute| attribute.path().is_ident("doc"));
    let documentation = (!documented).then(|| {
        let text = match kind {
            Kind::Values => format!("The key of `{}`.", field.unraw()),
            Kind::Namespaces => format!("The key of the namespace `{}`.", field.unraw()),
        };
        quote!(#[doc = #text])
    });
    quote! {
        #(#attributes)*
        #documentation
        #visibility const #constant: #key = #made #expiring #aliases #on_mismatch #migrate;
    }
}

/// The tokens of a path, all of them at one place.
fn located_at(path: &Path, place: Span) -> TokenStream {
    let tokens = path.to_token_stream().into_iter().map(|mut token| {
        token.set_span(place);
        token
    });
    tokens.collect()
}

/// The struct is never made and its fields are never read, which rustc would report as dead code. A function that does
/// both, and is never called itself, says that this is intended.
fn uses_of_fields(declaration: &Declaration<'_>) -> TokenStream {
    let ident = declaration.ident;
    let fields: Vec<_> = declaration.entries.iter().map(|entry| entry.field).collect();
    let locals = (0..fields.len()).map(|index| format_ident!("__field_{index}"));
    let locals: Vec<_> = locals.collect();
    quote! {
        const _: () = {
            #[allow(dead_code)]
            fn declared(__declaration: #ident) -> #ident {
                let #ident { #(#fields: #locals),* } = __declaration;
                #ident { #(#fields: #locals),* }
            }
        };
    }
}

//! Code generation from a declaration.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::Path;
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use crate::attributes::OnMismatch;
use crate::declaration::{Declaration, DeclaredKey};
use crate::kind::Kind;

/// Generates the constants of the keys and the implementation of the trait.
pub(crate) fn expand(kind: Kind, declaration: &Declaration<'_>) -> TokenStream {
    let Declaration { ident, krate, keys } = declaration;
    let trait_name = match kind {
        Kind::Values => quote!(Values),
        Kind::Namespaces => quote!(Namespaces),
    };
    let constants = keys.iter().map(|declared| constant(kind, declaration, declared));
    let uses = use_of_fields(declaration);

    // Unused constants need no `allow(dead_code)`: rustc does not report them in code that a derive generates.
    quote! {
        impl #ident {
            #(#constants)*
        }

        #[automatically_derived]
        impl #krate::#trait_name for #ident {}

        #uses
    }
}

fn constant(kind: Kind, declaration: &Declaration<'_>, declared: &DeclaredKey<'_>) -> TokenStream {
    let DeclaredKey {
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
    } = declared;

    // The spans of code that may not compile are those of the field's type or expression, so that errors point there.
    // The hygiene is still that of the macro, so that lints for handwritten code do not apply.
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
        OnMismatch::Default(option) => {
            let default = quote_spanned!(option=> <#ty as ::core::default::Default>::default);
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

/// Returns the tokens of a path, all with this span.
fn located_at(path: &Path, span: Span) -> TokenStream {
    let tokens = path.to_token_stream().into_iter().map(|mut token| {
        token.set_span(span);
        token
    });
    tokens.collect()
}

/// Generates a function that constructs the struct and reads its fields, and is never called. Without it rustc would
/// report the struct and its fields as dead code.
fn use_of_fields(declaration: &Declaration<'_>) -> TokenStream {
    let ident = declaration.ident;
    let fields: Vec<_> = declaration.keys.iter().map(|declared| declared.field).collect();
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

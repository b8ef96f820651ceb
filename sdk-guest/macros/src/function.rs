//! The functions that activities are made of: what they must look like, and what is read from them.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::spanned::Spanned as _;
use syn::{Attribute, FnArg, Ident, Pat, PatType, ReturnType, Signature, Type};

use crate::naming::pascal;
use crate::options::Options;

/// Where the function stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a module, with `#[activity]`.
    Free,
    /// In an `impl` with `#[activities]`.
    Method,
}

/// What an activity's function says of itself.
pub(crate) struct Function {
    /// The type that stands for the activity.
    pub(crate) handle: Ident,
    /// What Temporal calls it, without the plugin.
    pub(crate) name: String,
    /// The input's type; none for a function that has only the context.
    pub(crate) input: Option<Type>,
    /// What the function returns.
    pub(crate) output: Type,
    /// A method begins with `&self`.
    pub(crate) on_self: bool,
    options: Options,
}

impl Function {
    pub(crate) fn read(signature: &Signature, options: Options, place: Place) -> syn::Result<Self> {
        plain(signature)?;
        let mut arguments = signature.inputs.iter().peekable();
        let on_self = match arguments.peek() {
            Some(FnArg::Receiver(receiver)) => {
                by_reference(receiver, place)?;
                arguments.next();
                true
            }
            _ => false,
        };
        context(signature, arguments.next())?;
        let input = arguments.next().map(input).transpose()?;
        if let Some(further) = arguments.next() {
            return Err(error(
                further,
                "an activity takes one input: put its values into a struct with `#[derive(Serialize, Deserialize, JsonSchema)]`",
            ));
        }
        let ReturnType::Type(_, output) = &signature.output else {
            return Err(error(
                &signature.ident,
                "an activity says how it ends: let it return `Result<T, ActivityError>`, `Result<(), ActivityError>` if it has nothing to tell",
            ));
        };
        let name = match &options.name {
            Some(name) => name.value(),
            None => pascal(&signature.ident.to_string()),
        };
        if signature.ident == name {
            return Err(error(
                &signature.ident,
                &format!(
                    "the type `{name}` that stands for the activity needs this name: write the function's in small letters"
                ),
            ));
        }
        Ok(Self {
            handle: Ident::new(&name, signature.ident.span()),
            name,
            input,
            output: output.as_ref().clone(),
            on_self,
            options,
        })
    }

    /// The input's type.
    pub(crate) fn input_type(&self) -> TokenStream {
        self.input
            .as_ref()
            .map_or_else(|| quote!(()), |input| quote!(#input))
    }

    /// The presets, as constants of the trait.
    pub(crate) fn presets(&self) -> TokenStream {
        let timeout = self.options.timeout.as_ref().map(|timeout| {
            quote! { const TIMEOUT: ::tenterhook_sdk::presets::Timeout = ::tenterhook_sdk::presets::Timeout::#timeout; }
        });
        let retry = self.options.retry.as_ref().map(|retry| {
            quote! { const RETRY: ::tenterhook_sdk::presets::Retry = ::tenterhook_sdk::presets::Retry::#retry; }
        });
        quote!(#timeout #retry)
    }
}

/// What no activity can be.
fn plain(signature: &Signature) -> syn::Result<()> {
    if let Some(asyncness) = &signature.asyncness {
        return Err(error(
            asyncness,
            "an activity is a plain function: remove `async`; calls of `http`, `kv` and `config` wait by themselves",
        ));
    }
    if let Some(unsafety) = &signature.unsafety {
        return Err(error(
            unsafety,
            "an activity is called by the host: remove `unsafe` from it",
        ));
    }
    if let Some(abi) = &signature.abi {
        return Err(error(
            abi,
            "an activity is called by the host: remove `extern` from it",
        ));
    }
    if !signature.generics.params.is_empty() || signature.generics.where_clause.is_some() {
        return Err(error(
            &signature.generics,
            "an activity has one input and one result type: remove the generics, and write an activity for each type",
        ));
    }
    Ok(())
}

fn by_reference(receiver: &syn::Receiver, place: Place) -> syn::Result<()> {
    if place == Place::Free {
        return Err(error(
            receiver,
            "`#[activity]` on a method needs `#[activities]` on its `impl`",
        ));
    }
    if receiver.reference.is_some() && receiver.mutability.is_none() {
        return Ok(());
    }
    Err(error(
        receiver,
        "every attempt has a fresh value of the struct, which `Default` makes: take it as `&self`; what must last goes into `kv`",
    ))
}

fn context(signature: &Signature, argument: Option<&FnArg>) -> syn::Result<()> {
    const MEND: &str = "the first parameter of an activity is its context: write `ctx: &ActivityContext` (`_: &ActivityContext` if it is not used)";
    let Some(argument) = argument else {
        return Err(syn::Error::new(signature.paren_token.span.join(), MEND));
    };
    if let FnArg::Typed(PatType { ty, .. }) = argument
        && let Type::Reference(reference) = ty.as_ref()
        && reference.mutability.is_none()
        && let Type::Path(path) = reference.elem.as_ref()
        && let Some(last) = path.path.segments.last()
        && last.ident == "ActivityContext"
    {
        return Ok(());
    }
    Err(error(argument, MEND))
}

fn input(argument: &FnArg) -> syn::Result<Type> {
    let FnArg::Typed(PatType { ty, .. }) = argument else {
        return Err(error(argument, "`self` comes first"));
    };
    match ty.as_ref() {
        Type::Reference(reference) => Err(error(
            reference,
            "an activity owns its input, which comes from Temporal: take it by value (`String` for `&str`)",
        )),
        Type::ImplTrait(what) => Err(error(
            what,
            "an activity's input has one type: write the type in place of `impl`",
        )),
        _ => Ok(ty.as_ref().clone()),
    }
}

/// The parts of a function's attributes: doc comments and conditions go with the handle too, the rest stays.
pub(crate) struct Attributes {
    pub(crate) docs: Vec<Attribute>,
    pub(crate) conditions: Vec<Attribute>,
    pub(crate) others: Vec<Attribute>,
}

impl Attributes {
    pub(crate) fn sort(attributes: Vec<Attribute>) -> Self {
        let (docs, rest) = partition(attributes, "doc");
        let (conditions, others) = partition(rest, "cfg");
        Self {
            docs,
            conditions,
            others,
        }
    }

    /// The doc comment's text.
    pub(crate) fn description(&self) -> String {
        let lines = self.docs.iter().filter_map(|doc| match &doc.meta {
            syn::Meta::NameValue(syn::MetaNameValue {
                value:
                    syn::Expr::Lit(syn::ExprLit {
                        lit: syn::Lit::Str(text),
                        ..
                    }),
                ..
            }) => Some(text.value()),
            _ => None,
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

fn partition(attributes: Vec<Attribute>, name: &str) -> (Vec<Attribute>, Vec<Attribute>) {
    attributes
        .into_iter()
        .partition(|attribute| attribute.path().is_ident(name))
}

/// Names that an author's patterns cannot hide.
pub(crate) fn hygienic(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}

/// An argument's name, for the compiler's hints and for documentation.
pub(crate) fn argument_name(signature: &Signature) -> Ident {
    let last = signature.inputs.last();
    if let Some(FnArg::Typed(PatType { pat, .. })) = last
        && let Pat::Ident(name) = pat.as_ref()
    {
        let text = name.ident.to_string();
        let plain = text.trim_start_matches('_');
        if !plain.is_empty() {
            return Ident::new(plain, name.ident.span());
        }
    }
    Ident::new("input", Span::call_site())
}

pub(crate) fn error(at: &impl quote::ToTokens, message: &str) -> syn::Error {
    syn::Error::new_spanned(at, message)
}

/// The span of a type, for errors of the compiler about it.
pub(crate) fn span(of: Option<&Type>) -> Span {
    of.map_or_else(Span::call_site, |ty| ty.span())
}

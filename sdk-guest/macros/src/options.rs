//! What stands in the parentheses of `#[activity(…)]`.

use proc_macro2::TokenStream;
use syn::meta::ParseNestedMeta;
use syn::parse::Parser as _;
use syn::{Ident, LitStr};

const TIMEOUTS: &[&str] = &["Short", "Medium", "Long", "VeryLong"];
const RETRIES: &[&str] = &[
    "Standard",
    "Aggressive",
    "Patient",
    "Database",
    "Network",
    "ExternalService",
    "None",
    "Forever",
];

/// The options as they were given.
#[derive(Default)]
pub(crate) struct Options {
    /// The name that Temporal knows, in place of the function's.
    pub(crate) name: Option<LitStr>,
    /// A variant of `Timeout`.
    pub(crate) timeout: Option<Ident>,
    /// A variant of `Retry`.
    pub(crate) retry: Option<Ident>,
}

impl Options {
    pub(crate) fn parse(tokens: TokenStream) -> syn::Result<Self> {
        let mut options = Self::default();
        syn::meta::parser(|meta| options.take(&meta)).parse2(tokens)?;
        Ok(options)
    }

    /// The options of an attribute inside `#[activities]`, with or without parentheses.
    pub(crate) fn of(attribute: &syn::Attribute) -> syn::Result<Self> {
        let mut options = Self::default();
        if !matches!(attribute.meta, syn::Meta::Path(_)) {
            attribute.parse_nested_meta(|meta| options.take(&meta))?;
        }
        Ok(options)
    }

    fn take(&mut self, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
        if meta.path.is_ident("name") {
            let name: LitStr = meta.value()?.parse().map_err(|error| {
                syn::Error::new(
                    error.span(),
                    "the name is a text: write `name = \"ChargeCard\"`",
                )
            })?;
            self.name = Some(checked(name)?);
        } else if meta.path.is_ident("timeout") {
            self.timeout = Some(preset(meta, "timeout", "Timeout", TIMEOUTS)?);
        } else if meta.path.is_ident("retry") {
            self.retry = Some(preset(meta, "retry", "Retry", RETRIES)?);
        } else {
            return Err(meta.error(
                "this is no option of an activity; there are `name = \"ChargeCard\"`, `timeout = Short` and `retry = Aggressive`",
            ));
        }
        Ok(())
    }
}

/// The name is also that of a type, and no dots: `payment.Charge` is what the host makes of `Charge`.
fn checked(name: LitStr) -> syn::Result<LitStr> {
    let value = name.value();
    let fits = value.starts_with(|first: char| first.is_ascii_uppercase())
        && value.chars().all(|letter| letter.is_ascii_alphanumeric());
    if fits {
        return Ok(name);
    }
    Err(syn::Error::new(
        name.span(),
        format!(
            "\"{value}\" cannot be an activity's name: write it in letters and digits with a capital first, as `ChargeCard`; the plugin's name is put before it by the host"
        ),
    ))
}

/// One of the variants of a preset, with or without its type before it.
fn preset(
    meta: &ParseNestedMeta<'_>,
    option: &str,
    kind: &str,
    variants: &[&str],
) -> syn::Result<Ident> {
    let wrong = |span| {
        syn::Error::new(
            span,
            format!(
                "`{option}` takes a preset, one of {}; anything else is set at the call: `charge(input).{option}(…)`",
                variants.join(", ")
            ),
        )
    };
    let value = meta.value()?;
    let span = value.span();
    let path: syn::Path = value.parse().map_err(|_| wrong(span))?;
    let spelled: Vec<&Ident> = path.segments.iter().map(|segment| &segment.ident).collect();
    let variant = match spelled.as_slice() {
        [variant] => *variant,
        [.., of, variant] if *of == kind => *variant,
        _ => return Err(wrong(span)),
    };
    if variants.iter().any(|known| variant == known) {
        return Ok(variant.clone());
    }
    Err(wrong(variant.span()))
}

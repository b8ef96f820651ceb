//! `plugin!`: what a crate exports, gathered into one component.

mod expansion;
mod wants;

use proc_macro2::TokenStream;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, ExprLit, Ident, Lit, Path, Token, braced, bracketed};

use crate::function::{Attributes, error};
use crate::naming::{is_function_like, is_plugin_name, is_version, pascal};
use wants::Wants;

const SECTIONS: &str = "`name`, `version`, `workflows`, `activities` and `wants`";
const KINDS: &[&str] = &["signals", "queries", "updates"];

pub(crate) fn expand(input: TokenStream) -> syn::Result<TokenStream> {
    let plugin: Plugin = syn::parse2(input)?;
    plugin.check()?;
    Ok(expansion::expand(&plugin))
}

/// What `plugin!` was given.
#[derive(Default)]
struct Plugin {
    name: Option<Expr>,
    version: Option<Expr>,
    workflows: Vec<Workflow>,
    activities: Vec<Path>,
    wants: Option<Wants>,
}

/// One row of `workflows`.
struct Workflow {
    description: String,
    path: Path,
    /// The kind of handler, as a method of the builder, and the handler's name.
    handlers: Vec<(Ident, Ident)>,
}

impl Parse for Plugin {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut plugin = Self::default();
        let mut seen: Vec<Ident> = Vec::new();
        while !input.is_empty() {
            let section: Ident = input.parse().map_err(|error| {
                syn::Error::new(
                    error.span(),
                    format!("a section of `plugin!` begins with its name: {SECTIONS}"),
                )
            })?;
            if seen.contains(&section) {
                return Err(error(
                    &section,
                    &format!("`{section}` is there twice: write all of it into one"),
                ));
            }
            input.parse::<Token![:]>()?;
            plugin.section(&section, input)?;
            seen.push(section);
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(plugin)
    }
}

impl Plugin {
    fn section(&mut self, section: &Ident, input: ParseStream<'_>) -> syn::Result<()> {
        match section.to_string().as_str() {
            "name" => self.name = Some(input.parse()?),
            "version" => self.version = Some(input.parse()?),
            "workflows" => self.workflows = list(input, section)?,
            "activities" => {
                self.activities = list::<Handle>(input, section)?
                    .into_iter()
                    .map(|handle| handle.0)
                    .collect()
            }
            "wants" => self.wants = Some(input.parse()?),
            _ => {
                return Err(error(
                    section,
                    &format!("`plugin!` has no section `{section}`; it has {SECTIONS}"),
                ));
            }
        }
        Ok(())
    }

    /// What can be known to be wrong before anything is compiled.
    fn check(&self) -> syn::Result<()> {
        if self.workflows.is_empty() && self.activities.is_empty() {
            return Err(syn::Error::new(
                proc_macro2::Span::call_site(),
                "this plugin does nothing: list its `workflows: […]`, its `activities: […]`, or both",
            ));
        }
        self.check_name()?;
        if let Some((text, version)) = self.version.as_ref().and_then(literal)
            && !is_version(&version)
        {
            return Err(error(
                text,
                &format!("\"{version}\" is no semantic version: write three numbers, as \"1.4.0\""),
            ));
        }
        distinct(
            self.workflows.iter().map(|workflow| &workflow.path),
            "workflow",
        )?;
        distinct(self.activities.iter(), "activity")
    }

    fn check_name(&self) -> syn::Result<()> {
        const RULE: &str = "small letters, digits and dashes, a letter first";
        match self.name.as_ref().map(|name| (name, literal(name))) {
            Some((name, Some((_, given)))) if !is_plugin_name(&given) => Err(error(
                name,
                &format!("\"{given}\" cannot be a plugin's name: write it in {RULE}"),
            )),
            Some(_) => Ok(()),
            None => match std::env::var("CARGO_PKG_NAME") {
                Ok(package) if !is_plugin_name(&package) => Err(syn::Error::new(
                    proc_macro2::Span::call_site(),
                    format!(
                        "the package's name \"{package}\" cannot be a plugin's: give another one, in {RULE}, by `name: \"…\",` as the first section"
                    ),
                )),
                _ => Ok(()),
            },
        }
    }
}

/// `[a, b, c]`.
fn list<T: Parse>(input: ParseStream<'_>, of: &Ident) -> syn::Result<Vec<T>> {
    if !input.peek(syn::token::Bracket) {
        return Err(input.error(format!("`{of}` is a list: write `{of}: […]`")));
    }
    let content;
    bracketed!(content in input);
    let rows = Punctuated::<T, Token![,]>::parse_terminated(&content)?;
    Ok(rows.into_iter().collect())
}

/// An activity's handle, or a group of them.
struct Handle(Path);

impl Parse for Handle {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let path: Path = input.parse()?;
        let name = last(&path);
        if is_function_like(&name) {
            return Err(error(
                &path,
                &format!(
                    "`{name}` is the activity's function: list the type that stands for it, `{}` unless `#[activity(name = …)]` says otherwise",
                    pascal(&name)
                ),
            ));
        }
        Ok(Self(path))
    }
}

impl Parse for Workflow {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attributes = Attributes::sort(input.call(Attribute::parse_outer)?);
        if let Some(other) = attributes
            .conditions
            .iter()
            .chain(&attributes.others)
            .next()
        {
            return Err(error(
                other,
                "a workflow in this list takes a doc comment and no other attribute: put conditions on the whole of `plugin!`",
            ));
        }
        let path: Path = input.parse()?;
        let name = last(&path);
        if is_function_like(&name) {
            return Err(error(
                &path,
                &format!("`{name}` is no type: list the struct that has `#[workflow]`"),
            ));
        }
        let mut handlers = Vec::new();
        if input.peek(syn::token::Brace) {
            let content;
            braced!(content in input);
            for group in Punctuated::<Handlers, Token![,]>::parse_terminated(&content)? {
                let names = group.names.into_iter();
                handlers.extend(names.map(|name| (group.kind.clone(), name)));
            }
        }
        for (at, (_, name)) in handlers.iter().enumerate() {
            if handlers[..at].iter().any(|(_, before)| before == name) {
                return Err(error(
                    name,
                    &format!("`{name}` is listed twice: remove one"),
                ));
            }
        }
        Ok(Self {
            description: attributes.description(),
            path,
            handlers,
        })
    }
}

/// `signals: [go, stop]`.
struct Handlers {
    kind: Ident,
    names: Vec<Ident>,
}

impl Parse for Handlers {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let kind: Ident = input.parse()?;
        if !KINDS.iter().any(|known| kind == known) {
            return Err(error(
                &kind,
                &format!(
                    "a workflow has no `{kind}`: write `signals: […]`, `queries: […]` or `updates: […]`, with the names of the methods"
                ),
            ));
        }
        input.parse::<Token![:]>()?;
        let names = list(input, &kind)?;
        Ok(Self { kind, names })
    }
}

/// The last name of a path.
fn last(path: &Path) -> String {
    path.segments
        .last()
        .map(|segment| segment.ident.to_string())
        .unwrap_or_default()
}

/// A text that is written out.
fn literal(expression: &Expr) -> Option<(&Expr, String)> {
    match expression {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) => Some((expression, text.value())),
        _ => None,
    }
}

fn distinct<'a>(paths: impl Iterator<Item = &'a Path>, what: &str) -> syn::Result<()> {
    let mut seen: Vec<&Path> = Vec::new();
    for path in paths {
        if seen.contains(&path) {
            return Err(error(
                path,
                &format!("this {what} is listed twice: remove one"),
            ));
        }
        seen.push(path);
    }
    Ok(())
}

//! The comments of public items, and the names of tests.

use std::fs;

use syn::visit::{self, Visit};
use syn::{Attribute, Expr, ExprLit, Lit, Meta, Visibility};

use crate::source::{files, root};

/// A comment as short as this needs its neighbours to be understood.
const MIN_WORDS: usize = 4;
/// The longest name that a test may have.
const MAX_NAME: usize = 60;

const LIBRARIES: [&str; 6] = [
    "client-core",
    "machineid-client",
    "machins-client",
    "machins-mcp",
    "machins-mock",
    "process-containment",
];

#[test]
fn public_comments_are_sentences() {
    let mut terse = Vec::new();
    for package in LIBRARIES {
        for path in files(&root().join(package).join("src"), "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let mut comments = Comments::default();
            comments.visit_file(&syn::parse_file(&text).unwrap());
            let name = path.strip_prefix(root()).unwrap().display().to_string();
            terse.extend(comments.terse.iter().map(|comment| format!("{name}: {comment}")));
        }
    }
    assert!(terse.is_empty(), "comments of a few words:\n{}", terse.join("\n"));
}

#[test]
fn test_names_fit_on_a_line() {
    let mut long = Vec::new();
    for path in files(&root(), "rs") {
        let text = fs::read_to_string(&path).unwrap();
        let mut names = Names::default();
        names.visit_file(&syn::parse_file(&text).unwrap());
        long.extend(names.long.iter().map(|name| format!("{}: {name}", path.display())));
    }
    assert!(long.is_empty(), "names of over {MAX_NAME} characters:\n{}", long.join("\n"));
}

/// The first paragraphs of public comments that are too short.
#[derive(Default)]
struct Comments {
    terse: Vec<String>,
}

impl Comments {
    fn check(&mut self, visibility: &Visibility, attributes: &[Attribute]) {
        if matches!(visibility, Visibility::Public(_)) {
            self.check_text(attributes);
        }
    }

    fn check_text(&mut self, attributes: &[Attribute]) {
        let lines: Vec<String> = attributes.iter().filter_map(comment).collect();
        let first: Vec<&str> =
            lines.iter().map(|line| line.trim()).take_while(|line| !line.is_empty()).collect();
        let first = first.join(" ");
        if !first.is_empty() && first.split_whitespace().count() < MIN_WORDS {
            self.terse.push(first);
        }
    }
}

impl<'ast> Visit<'ast> for Comments {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if item.ident != "tests" {
            self.check(&item.vis, &item.attrs);
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.check(&item.vis, &item.attrs);
        visit::visit_item_struct(self, item);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.check(&item.vis, &item.attrs);
        if matches!(item.vis, Visibility::Public(_)) {
            for variant in &item.variants {
                self.check_text(&variant.attrs);
                for field in &variant.fields {
                    self.check_text(&field.attrs);
                }
            }
        }
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.check(&item.vis, &item.attrs);
        if matches!(item.vis, Visibility::Public(_)) {
            for item in &item.items {
                match item {
                    syn::TraitItem::Const(item) => self.check_text(&item.attrs),
                    syn::TraitItem::Fn(item) => self.check_text(&item.attrs),
                    syn::TraitItem::Type(item) => self.check_text(&item.attrs),
                    _ => {}
                }
            }
        }
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.check(&item.vis, &item.attrs);
    }

    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        self.check(&item.vis, &item.attrs);
    }

    fn visit_item_static(&mut self, item: &'ast syn::ItemStatic) {
        self.check(&item.vis, &item.attrs);
    }

    fn visit_item_type(&mut self, item: &'ast syn::ItemType) {
        self.check(&item.vis, &item.attrs);
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        self.check(&field.vis, &field.attrs);
    }

    fn visit_impl_item_const(&mut self, item: &'ast syn::ImplItemConst) {
        self.check(&item.vis, &item.attrs);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.check(&item.vis, &item.attrs);
    }

    /// `open_enum!` and its like: the comments stand among the macro's tokens.
    fn visit_item_macro(&mut self, item: &'ast syn::ItemMacro) {
        for line in macro_comments(item.mac.tokens.clone()) {
            if line.split_whitespace().count() < MIN_WORDS {
                self.terse.push(line);
            }
        }
    }
}

/// The comments in a macro's call, each joined to one text.
fn macro_comments(tokens: proc_macro2::TokenStream) -> Vec<String> {
    let mut comments: Vec<String> = Vec::new();
    let mut continues = false;
    for token in tokens {
        match token {
            proc_macro2::TokenTree::Group(group)
                if group.delimiter() == proc_macro2::Delimiter::Bracket =>
            {
                let text = group.stream().to_string();
                let Some(text) = text.strip_prefix("doc = ") else { continue };
                let text = text.trim_matches('"').trim().to_owned();
                match comments.last_mut().filter(|_| continues) {
                    Some(comment) => comment.extend([" ", &text]),
                    None => comments.push(text),
                }
                continues = true;
            }
            proc_macro2::TokenTree::Group(group) => {
                continues = false;
                comments.extend(macro_comments(group.stream()));
            }
            proc_macro2::TokenTree::Punct(punct) if punct.as_char() == '#' => {}
            _ => continues = false,
        }
    }
    comments
}

fn comment(attribute: &Attribute) -> Option<String> {
    let Meta::NameValue(meta) = &attribute.meta else { return None };
    let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &meta.value else { return None };
    meta.path.is_ident("doc").then(|| text.value())
}

#[derive(Default)]
struct Names {
    long: Vec<String>,
}

impl<'ast> Visit<'ast> for Names {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        let name = item.sig.ident.to_string();
        if name.len() > MAX_NAME {
            self.long.push(name);
        }
    }
}

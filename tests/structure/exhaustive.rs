//! Public types of the clients that are exhaustive.

use std::fs;

use syn::visit::{self, Visit};
use syn::{Attribute, Visibility};

use crate::source::{files, root};

const CLIENTS: [&str; 3] = ["client-core", "machineid-client", "machins-client"];
/// How a comment between the documentation and the type begins.
const REASON: &str = "// Exhaustive: ";

#[test]
fn exhaustive_public_types_say_why() {
    let mut unexplained = Vec::new();
    for package in CLIENTS {
        for path in files(&root().join(package).join("src"), "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let mut types = Types::default();
            types.visit_file(&syn::parse_file(&text).unwrap());
            let names = types.exhaustive.into_iter().filter(|name| !says_why(&text, name));
            unexplained.extend(names.map(|name| format!("{}: {name}", path.display())));
        }
    }
    let types = unexplained.join("\n");
    assert!(types.is_empty(), "neither #[non_exhaustive] nor a comment `{REASON}…`:\n{types}");
}

/// Whether the lines above the type, back to its documentation, have the comment.
fn says_why(text: &str, name: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let declares = |line: &str, kind: &str| {
        let rest = line.strip_prefix(kind).and_then(|rest| rest.strip_prefix(name));
        rest.is_some_and(|rest| !rest.starts_with(|next: char| next.is_alphanumeric()))
    };
    lines
        .iter()
        .position(|line| declares(line, "pub struct ") || declares(line, "pub enum "))
        .is_some_and(|at| {
            let above = lines[..at].iter().rev();
            above.take_while(|line| !line.starts_with("///")).any(|line| line.starts_with(REASON))
        })
}

/// Public enums, and structs with public fields, that have no `#[non_exhaustive]`.
#[derive(Default)]
struct Types {
    exhaustive: Vec<String>,
}

impl Types {
    fn check(&mut self, name: &syn::Ident, visibility: &Visibility, attributes: &[Attribute]) {
        let is_open = attributes.iter().any(|one| one.path().is_ident("non_exhaustive"));
        if matches!(visibility, Visibility::Public(_)) && !is_open {
            self.exhaustive.push(name.to_string());
        }
    }
}

impl<'ast> Visit<'ast> for Types {
    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.check(&item.ident, &item.vis, &item.attrs);
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        if item.fields.iter().any(|field| matches!(field.vis, Visibility::Public(_))) {
            self.check(&item.ident, &item.vis, &item.attrs);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if item.ident != "tests" {
            visit::visit_item_mod(self, item);
        }
    }
}

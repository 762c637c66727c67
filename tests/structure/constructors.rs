//! Public types of the clients that a user's test cannot create.

use std::collections::BTreeSet;
use std::fs;

use quote::ToTokens;
use syn::visit::{self, Visit};
use syn::{FnArg, ImplItem, ItemImpl, ItemStruct, Type, Visibility};

use crate::source::{files, root};

const CLIENTS: [&str; 3] = ["client-core", "machineid-client", "machins-client"];

/// What only a client creates, and why.
const CLOSED: &[(&str, &str)] = &[
    ("Api", "a client: `ClientBuilder` builds one over a script"),
    ("Deliveries", "a stream of a running watch: `InboxWatch::deliveries` over a script gives one"),
    ("Entries", "reads a decision log, which a test can write"),
    ("GateService", "made by `GateLayer`"),
    ("InboxDelivery", "settles a notification of a running watch, which a script can send"),
    ("InboxWaker", "made by `InboxWatch::waker`"),
    ("InboxWatch", "made by `Api::inbox_watch`"),
    ("Items", "a list over a client: a script answers its pages"),
    ("LimitStatus", "what `SpendingPolicy::remaining` returns"),
    ("Operation", "made by the macro `operation!`"),
    ("Pending", "a call: a script answers it"),
    ("Permit", "proves that the service has allowed the device"),
    ("PolicyRefusal", "what `SpendingPolicy::decide` returns"),
    ("Rule", "made by `Script::on`"),
    ("ScriptedRequest", "a request that a script has been asked to answer"),
];

#[test]
fn public_types_can_be_created_in_tests() {
    let mut types = Types::default();
    for package in CLIENTS {
        for path in files(&root().join(package).join("src"), "rs") {
            let text = fs::read_to_string(&path).unwrap();
            types.visit_file(&syn::parse_file(&text).unwrap());
        }
    }
    let is_closed = |name: &String| CLOSED.iter().any(|(closed, _)| name == closed);
    let missing: Vec<_> =
        types.public.difference(&types.created).filter(|name| !is_closed(name)).collect();
    assert!(missing.is_empty(), "no constructor, not even with `test-util`: {missing:?}");
}

/// The public structs, and the types that can be created: from JSON, as a default, by a public
/// function that returns one, or as a conversion.
#[derive(Default)]
struct Types {
    public: BTreeSet<String>,
    created: BTreeSet<String>,
}

impl<'ast> Visit<'ast> for Types {
    fn visit_item_struct(&mut self, item: &'ast ItemStruct) {
        let is_public = |visibility: &Visibility| matches!(visibility, Visibility::Public(_));
        if !is_public(&item.vis) {
            return;
        }
        let name = item.ident.to_string();
        let attributes = item.attrs.iter().map(|one| one.to_token_stream().to_string());
        let attributes: Vec<_> = attributes.collect();
        let has = |word: &str| attributes.iter().any(|one| one.contains(word));
        let is_literal = item.fields.iter().all(|field| is_public(&field.vis));
        if has("Deserialize") || has("Default") || is_literal && !has("non_exhaustive") {
            self.created.insert(name.clone());
        }
        self.public.insert(name);
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        let Some(name) = type_name(&item.self_ty) else { return };
        if let Some((_, path, _)) = &item.trait_ {
            let name_of_trait = path.segments.last().unwrap().ident.to_string();
            if ["Default", "Deserialize", "From", "FromStr", "TryFrom"].contains(&&*name_of_trait) {
                self.created.insert(name);
            }
            return;
        }
        let functions = item.items.iter().filter_map(|item| match item {
            ImplItem::Fn(function) => Some(function),
            _ => None,
        });
        for function in functions {
            let has_receiver = matches!(function.sig.inputs.first(), Some(FnArg::Receiver(_)));
            let output = function.sig.output.to_token_stream().to_string();
            let returns_it = output
                .split(|next: char| !next.is_alphanumeric())
                .any(|word| word == "Self" || word == name);
            if matches!(function.vis, Visibility::Public(_)) && !has_receiver && returns_it {
                self.created.insert(name.clone());
            }
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if item.ident != "tests" {
            visit::visit_item_mod(self, item);
        }
    }
}

fn type_name(of: &Type) -> Option<String> {
    let Type::Path(path) = of else { return None };
    Some(path.path.segments.last()?.ident.to_string())
}

//! The names of a crate's public types, read from its source.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use syn::{Item, UseTree, Visibility};

/// Returns every type that the crate in this folder exports, with its public module. Types that it
/// re-exports from `agent-client-core` are checked with that crate.
pub fn types(package: &str) -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(package).join("src");
    let mut names = BTreeSet::new();
    module(&root, "lib", "", &mut names);
    names
}

fn module(folder: &Path, file: &str, prefix: &str, names: &mut BTreeSet<String>) {
    let paths = [folder.join(file).with_extension("rs"), folder.join(file).join("mod.rs")];
    let text = paths.iter().find_map(|path| fs::read_to_string(path).ok()).unwrap();
    items(syn::parse_file(&text).unwrap().items, folder, prefix, names);
}

fn items(items: Vec<Item>, folder: &Path, prefix: &str, names: &mut BTreeSet<String>) {
    for item in items {
        let (visibility, ident) = match item {
            Item::Use(item) if is_public(&item.vis) => {
                exported(&item.tree, prefix, names);
                continue;
            }
            Item::Mod(item) if is_public(&item.vis) => {
                let name = item.ident.to_string();
                let inner = format!("{prefix}{name}::");
                match item.content {
                    Some((_, content)) => self::items(content, &folder.join(name), &inner, names),
                    None => module(folder, &name, &inner, names),
                }
                continue;
            }
            Item::Struct(item) => (item.vis, item.ident),
            Item::Enum(item) => (item.vis, item.ident),
            Item::Union(item) => (item.vis, item.ident),
            Item::Type(item) => (item.vis, item.ident),
            _ => continue,
        };
        if is_public(&visibility) {
            names.insert(format!("{prefix}{ident}"));
        }
    }
}

fn exported(tree: &UseTree, prefix: &str, names: &mut BTreeSet<String>) {
    let name = match tree {
        UseTree::Path(path) if path.ident == "agent_client_core" => return,
        UseTree::Path(path) => return exported(&path.tree, prefix, names),
        UseTree::Group(group) => {
            return group.items.iter().for_each(|tree| exported(tree, prefix, names));
        }
        UseTree::Name(name) => name.ident.to_string(),
        UseTree::Rename(rename) => rename.rename.to_string(),
        UseTree::Glob(_) => panic!("a glob hides what it exports: name each type"),
    };
    // Functions and modules begin in lower case, constants have no lower case.
    let is_type = name.starts_with(char::is_uppercase) && name.contains(char::is_lowercase);
    if is_type {
        names.insert(format!("{prefix}{name}"));
    }
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

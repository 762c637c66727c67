//! A crate's modules, and which file uses what another one defines.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Attribute, Item, UseTree};

/// The folder of the workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Folders of what is built or installed.
const BUILT: [&str; 2] = ["node_modules", "target"];

/// All files below a folder that have this extension, except what is built and hidden folders.
pub fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && !BUILT.contains(&name.as_str()) && !name.starts_with('.') {
                files(&path, extension)
            } else if path.extension().is_some_and(|found| found == extension) {
                vec![path]
            } else {
                Vec::new()
            }
        })
        .collect()
}

/// A crate's source files, by their paths below `src`, and the modules in them.
pub struct Source {
    modules: Vec<Module>,
    files: BTreeMap<String, usize>,
    /// Macros that are exported at the crate's root, and the file that defines each.
    macros: HashMap<String, String>,
}

#[derive(Default)]
struct Module {
    file: String,
    parent: usize,
    children: HashMap<String, usize>,
    items: HashSet<String>,
    imports: Vec<Import>,
    /// All paths in the module's code, but for those of its imports.
    paths: Vec<Vec<String>>,
}

/// `use path as name`, or `use path::*` where the name is `*`.
struct Import {
    name: String,
    path: Vec<String>,
    /// A re-export only hands on what another file defines.
    is_public: bool,
}

enum Target {
    Module(usize),
    Item(String),
}

impl Source {
    /// Reads the crate in this folder of the workspace.
    pub fn read(package: &str) -> Self {
        let src = root().join(package).join("src");
        let file = if src.join("lib.rs").exists() { "lib.rs" } else { "main.rs" };
        let mut source =
            Self { modules: Vec::new(), files: BTreeMap::new(), macros: HashMap::new() };
        source.read_file(&src, file, 0, &src);
        source
    }

    /// Every file's path below `src`, and its number of lines.
    pub fn files(&self) -> &BTreeMap<String, usize> {
        &self.files
    }

    /// For each file, the files that define what it uses.
    pub fn uses(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (id, module) in self.modules.iter().enumerate() {
            let imports = module.imports.iter().filter(|import| !import.is_public);
            let imports = imports.map(|import| &import.path);
            let items =
                imports.chain(&module.paths).filter_map(|path| match self.resolve(id, path, 0) {
                    Some(Target::Item(file)) => Some(file),
                    _ => None,
                });
            // An import within a function may name a module; what is used of it then is not known.
            let modules = module.paths.iter().filter(|path| path.len() > 1).filter_map(|path| {
                match self.resolve(id, path, 0) {
                    Some(Target::Module(module)) => Some(self.modules[module].file.clone()),
                    _ => None,
                }
            });
            for file in items.chain(modules).filter(|file| *file != module.file) {
                uses.entry(module.file.clone()).or_default().insert(file);
            }
        }
        uses
    }

    /// Reads a file and the files of its child modules, which are in `folder`.
    fn read_file(&mut self, folder: &Path, name: &str, parent: usize, src: &Path) -> usize {
        let path = folder.join(name);
        let text = fs::read_to_string(&path).unwrap_or_else(|_| panic!("{}", path.display()));
        let file = path.strip_prefix(src).unwrap().display().to_string().replace('\\', "/");
        self.files.insert(file.clone(), text.lines().count());
        let is_folder = matches!(name, "lib.rs" | "main.rs" | "mod.rs");
        let children = if is_folder { folder.to_owned() } else { path.with_extension("") };
        let items = syn::parse_file(&text).unwrap().items;
        self.read_items(items, &file, parent, &children, src)
    }

    fn read_items(
        &mut self,
        items: Vec<Item>,
        file: &str,
        parent: usize,
        folder: &Path,
        src: &Path,
    ) -> usize {
        let id = self.modules.len();
        self.modules.push(Module { file: file.to_owned(), parent, ..Module::default() });
        for item in items {
            if attributes(&item).iter().any(is_test) {
                continue;
            }
            if let Item::Mod(item) = item {
                let name = item.ident.to_string();
                let child = match item.content {
                    Some((_, items)) => self.read_items(items, file, id, &folder.join(&name), src),
                    None if folder.join(format!("{name}.rs")).exists() => {
                        self.read_file(folder, &format!("{name}.rs"), id, src)
                    }
                    None => self.read_file(&folder.join(&name), "mod.rs", id, src),
                };
                self.modules[id].children.insert(name, child);
                continue;
            }
            let name = match &item {
                Item::Use(item) => {
                    let is_public = !matches!(item.vis, syn::Visibility::Inherited);
                    let imports = &mut self.modules[id].imports;
                    import(&item.tree, Vec::new(), is_public, imports);
                    continue;
                }
                Item::Macro(item) => item.ident.as_ref().inspect(|name| {
                    self.macros.insert(name.to_string(), file.to_owned());
                }),
                Item::Const(item) => Some(&item.ident),
                Item::Enum(item) => Some(&item.ident),
                Item::Fn(item) => Some(&item.sig.ident),
                Item::Static(item) => Some(&item.ident),
                Item::Struct(item) => Some(&item.ident),
                Item::Trait(item) => Some(&item.ident),
                Item::Type(item) => Some(&item.ident),
                _ => None,
            };
            let module = &mut self.modules[id];
            module.items.extend(name.map(ToString::to_string));
            paths(item.to_token_stream(), &mut module.paths);
        }
        id
    }

    /// What a path means in this module: `None` for what is no part of the crate.
    fn resolve(&self, from: usize, path: &[String], depth: usize) -> Option<Target> {
        assert!(depth < 20, "an import that leads to itself: {path:?}");
        let (first, mut rest) = path.split_first()?;
        let mut module = match first.as_str() {
            "crate" => 0,
            "self" => from,
            "super" => self.modules[from].parent,
            _ => {
                rest = path;
                from
            }
        };
        while let [name, more @ ..] = rest {
            let here = &self.modules[module];
            if name == "super" {
                module = here.parent;
            } else if name == "self" {
                // `use a::{self}` names the module itself.
            } else if let Some(child) = here.children.get(name) {
                module = *child;
            } else if here.items.contains(name) {
                return Some(Target::Item(here.file.clone()));
            } else {
                return self.resolve_import(module, name, more, depth).or_else(|| {
                    let file = self.macros.get(name).filter(|_| module == 0 && first == "crate")?;
                    Some(Target::Item(file.clone()))
                });
            }
            rest = more;
        }
        Some(Target::Module(module))
    }

    fn resolve_import(
        &self,
        module: usize,
        name: &str,
        rest: &[String],
        depth: usize,
    ) -> Option<Target> {
        let imports = &self.modules[module].imports;
        if let Some(import) = imports.iter().find(|import| import.name == name) {
            // `use name::…` of another crate would lead to itself.
            if import.path.first().is_some_and(|first| first == name) {
                return None;
            }
            let path: Vec<String> = import.path.iter().chain(rest).cloned().collect();
            return self.resolve(module, &path, depth + 1);
        }
        imports.iter().filter(|import| import.name == "*").find_map(|import| {
            let Some(Target::Module(target)) = self.resolve(module, &import.path, depth + 1) else {
                return None;
            };
            let path: Vec<String> = [name.to_owned()].iter().chain(rest).cloned().collect();
            match self.resolve(target, &path, depth + 1) {
                Some(Target::Item(file)) => Some(Target::Item(file)),
                _ => None,
            }
        })
    }
}

fn import(tree: &UseTree, mut path: Vec<String>, is_public: bool, imports: &mut Vec<Import>) {
    let mut add = |name: String, path| imports.push(Import { name, path, is_public });
    match tree {
        UseTree::Path(tree) => {
            path.push(tree.ident.to_string());
            import(&tree.tree, path, is_public, imports);
        }
        UseTree::Group(group) => {
            for tree in &group.items {
                import(tree, path.clone(), is_public, imports);
            }
        }
        UseTree::Name(name) if name.ident == "self" => {
            add(path.last().cloned().unwrap_or_default(), path);
        }
        UseTree::Name(name) => {
            path.push(name.ident.to_string());
            add(name.ident.to_string(), path);
        }
        UseTree::Rename(name) => {
            if name.ident != "self" {
                path.push(name.ident.to_string());
            }
            add(name.rename.to_string(), path);
        }
        UseTree::Glob(_) => add("*".into(), path),
    }
}

/// Collects every `a::b::c` and every single name: in expressions, types, attributes and macros.
fn paths(tokens: TokenStream, found: &mut Vec<Vec<String>>) {
    let mut path: Vec<String> = Vec::new();
    let mut colons = 0;
    for token in tokens {
        match token {
            TokenTree::Ident(name) => {
                if colons < 2 {
                    found.extend((!path.is_empty()).then(|| std::mem::take(&mut path)));
                }
                path.push(name.to_string());
                colons = 0;
            }
            TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
            TokenTree::Group(group) => {
                let inner = found.len();
                paths(group.stream(), found);
                // `use a::{b, c}` within a function.
                if colons == 2 && group.delimiter() == Delimiter::Brace {
                    for path_in_group in &mut found[inner..] {
                        path_in_group.splice(0..0, path.iter().cloned());
                    }
                    path.clear();
                }
                colons = 0;
            }
            _ => colons = 0,
        }
    }
    found.extend((!path.is_empty()).then_some(path));
}

/// Whether an item is there for tests alone.
fn is_test(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg")
        && attribute
            .parse_args::<syn::Path>()
            .is_ok_and(|path| path.is_ident("test") || path.is_ident("doctest"))
}

pub fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

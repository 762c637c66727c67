//! Changes to a runtime's settings file: the hook is added or removed, and all else stays as it is,
//! comments, order and layout included.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use diffy::DiffOptions;
use jsonc_parser::ParseOptions;
use jsonc_parser::cst::{CstArray, CstInputValue, CstNode, CstObject, CstRootNode};
use serde_json::{Map, Value};

use super::runtime::{Runtime, marker};
use crate::config::atomic::{persist, remove};
use crate::error::Failure;

/// The name of a backup is the file's with this at its end.
const BACKUP: &str = ".before-machins";

/// A change to a settings file that has not been made yet.
pub(crate) struct Change {
    path: PathBuf,
    /// The content of the file. `None` if there is none.
    before: Option<String>,
    /// The content that the file will have. `None` if it will be deleted.
    after: Option<String>,
    kind: Kind,
    /// Whether the file has a hook of this program already.
    replaces: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Install,
    Remove,
}

impl Change {
    /// The change that adds the hook, or replaces one that runs another command.
    pub(crate) fn install(
        runtime: &dyn Runtime,
        path: PathBuf,
        command: &str,
    ) -> Result<Self, Failure> {
        let (path, before, original) = without(runtime, path)?;
        let complain = |complaint: String| unusable(&path, &complaint);
        let is_installed = match &before {
            Some(text) => is_installed(runtime, text, command).map_err(complain)?,
            None => false,
        };
        let after = if is_installed {
            before.clone()
        } else {
            Some(with_hook(runtime, original.as_deref(), command).map_err(complain)?)
        };
        let replaces = before != original;
        Ok(Self { path, before, after, kind: Kind::Install, replaces })
    }

    /// The change that removes the hook. If nothing else has changed since it was added, the file is
    /// again what it was before.
    pub(crate) fn remove(runtime: &dyn Runtime, path: PathBuf) -> Result<Self, Failure> {
        let (path, before, after) = without(runtime, path)?;
        Ok(Self { path, before, after, kind: Kind::Remove, replaces: true })
    }

    /// The file to be changed.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns whether the file is already as it should be.
    pub(crate) fn is_empty(&self) -> bool {
        self.before == self.after
    }

    /// The change as a unified diff, in which secrets of other settings are masked.
    pub(crate) fn diff(&self) -> String {
        let path = self.path.display();
        let name = |text: &Option<String>| match text {
            Some(_) => path.to_string(),
            None => "/dev/null".to_owned(),
        };
        let shown = |text: &Option<String>| masked(text.as_deref().unwrap_or_default());
        let (before, after) = (shown(&self.before), shown(&self.after));
        DiffOptions::new()
            .set_original_filename(name(&self.before))
            .set_modified_filename(name(&self.after))
            .create_patch(&before, &after)
            .to_string()
    }

    /// Makes the change. Returns the path of the backup that it made, or `None` if there was nothing
    /// to save or an earlier change has saved it.
    pub(crate) fn apply(&self) -> Result<Option<PathBuf>, Failure> {
        let path = &self.path;
        let failed =
            |error: io::Error| Failure::local(format!("could not write {}", path.display()), error);
        // What a person has changed while they were asked must not be lost.
        if read(path)? != self.before {
            return Err(Failure::refused(format!(
                "{} has just been changed by another program; nothing was done",
                path.display()
            )));
        }
        let saved = backup(path);
        match self.kind {
            Kind::Install => {
                // A hook that is replaced was added by an earlier change, which has made a backup.
                let original = self.before.as_ref().filter(|_| !self.replaces);
                match original {
                    Some(original) => write(&saved, original, path).map_err(failed)?,
                    None if !self.replaces => remove(&saved).map_err(failed)?,
                    None => {}
                }
                write(path, self.after.as_deref().unwrap_or_default(), path).map_err(failed)?;
                Ok(original.map(|_| saved))
            }
            Kind::Remove => {
                if let Some(text) = &self.after {
                    write(path, text, path).map_err(failed)?;
                } else {
                    fs::remove_file(path).map_err(failed)?;
                    // Only an empty folder can be removed; it is one that the hook needed.
                    let _ = path.parent().map(fs::remove_dir);
                }
                remove(&saved).map_err(failed)?;
                Ok(None)
            }
        }
    }
}

/// The commands of the hooks that this program has added to a settings file.
pub(super) fn installed(runtime: &dyn Runtime, path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    commands(runtime, &text).unwrap_or_default()
}

fn commands(runtime: &dyn Runtime, text: &str) -> Result<Vec<String>, String> {
    let root = parse(text)?;
    let hooks = hooks(&root)?;
    let arrays = runtime.events().iter().filter_map(|event| hooks.as_ref()?.array_value(event));
    let handlers = arrays.flat_map(|entries| handlers(&entries));
    Ok(handlers.filter_map(|node| command(&node)).filter(|text| is_ours(runtime, text)).collect())
}

/// The file, its text, and its text without the hook: that of the backup if nothing else has changed
/// since. A text is `None` if there is no file.
fn without(
    runtime: &dyn Runtime,
    path: PathBuf,
) -> Result<(PathBuf, Option<String>, Option<String>), Failure> {
    let path = followed(path)?;
    let complain = |complaint: String| unusable(&path, &complaint);
    let Some(now) = read(&path)? else {
        return Ok((path, None, None));
    };
    let original = match commands(runtime, &now).map_err(complain)?.first() {
        None => Some(now.clone()),
        Some(command) => {
            let saved = read(&backup(&path))?;
            let again = with_hook(runtime, saved.as_deref(), command);
            if again.is_ok_and(|again| again == now) {
                saved
            } else {
                Some(without_hook(runtime, &now).map_err(complain)?)
            }
        }
    };
    Ok((path, Some(now), original))
}

/// The text of a file that does not have the hook, with the hook for each event.
fn with_hook(runtime: &dyn Runtime, text: Option<&str>, command: &str) -> Result<String, String> {
    let is_blank = text.is_none_or(|text| text.trim().is_empty());
    if is_blank {
        let entries = runtime.events().iter().map(|event| {
            let entries = Value::Array(vec![runtime.entry(command)]);
            ((*event).to_owned(), entries)
        });
        let mut document: Map<String, Value> = runtime
            .required()
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Value::from(*value)))
            .collect();
        document.insert("hooks".to_owned(), Value::Object(entries.collect()));
        return Ok(format!("{:#}\n", Value::Object(document)));
    }
    let root = parse(text.unwrap_or_default())?;
    let document = root.object_value().ok_or("it is not a JSON object")?;
    for (name, value) in runtime.required() {
        if document.get(name).is_none() {
            document.append(name, Value::from(*value).into_input());
        }
    }
    let hooks = document.object_value_or_create("hooks").ok_or("\"hooks\" is not an object")?;
    for event in runtime.events() {
        let entries = hooks
            .array_value_or_create(event)
            .ok_or_else(|| format!("\"hooks.{event}\" is not a list"))?;
        entries.append(runtime.entry(command).into_input());
        entries.ensure_multiline();
    }
    Ok(root.to_string())
}

/// Returns whether each event has the hook exactly once and as it is added now.
fn is_installed(runtime: &dyn Runtime, text: &str, command: &str) -> Result<bool, String> {
    let root = parse(text)?;
    let Some(hooks) = hooks(&root)? else {
        return Ok(false);
    };
    let has_required = |document: CstObject| {
        runtime.required().iter().all(|(name, _)| document.get(name).is_some())
    };
    Ok(root.object_value().is_some_and(has_required)
        && runtime.events().iter().all(|event| {
            let entries = hooks.array_value(event).map(|array| array.elements());
            let ours: Vec<CstNode> =
                entries.into_iter().flatten().filter(|entry| holds(runtime, entry)).collect();
            let [entry] = ours.as_slice() else {
                return false;
            };
            entry.to_serde_value() == Some(runtime.entry(command))
        }))
}

/// The text of the file without the hook, and without the lists and objects that held nothing else.
fn without_hook(runtime: &dyn Runtime, text: &str) -> Result<String, String> {
    let root = parse(text)?;
    let Some(hooks) = hooks(&root)? else {
        return Ok(text.to_owned());
    };
    let mut any = false;
    for event in runtime.events() {
        let Some(entries) = hooks.array_value(event) else {
            continue;
        };
        let mut found = false;
        for entry in entries.elements().into_iter().filter(|entry| holds(runtime, entry)) {
            found = true;
            let inner = entry.as_object().and_then(|entry| entry.array_value("hooks"));
            let others = inner.as_ref().map_or(0, |inner| {
                let ours = |node: &CstNode| holds(runtime, node);
                inner.elements().iter().filter(|node| !ours(node)).count()
            });
            match inner {
                // A person has put other hooks beside this one.
                Some(inner) if others > 0 => {
                    let ours = inner.elements().into_iter().filter(|node| holds(runtime, node));
                    ours.for_each(CstNode::remove);
                }
                _ => entry.remove(),
            }
        }
        any |= found;
        if found
            && entries.elements().is_empty()
            && let Some(property) = hooks.get(event)
        {
            property.remove();
        }
    }
    if any
        && hooks.properties().is_empty()
        && let Some(property) = root.object_value().and_then(|document| document.get("hooks"))
    {
        property.remove();
    }
    Ok(root.to_string())
}

/// Returns whether an entry, or a handler, runs this program's hook.
fn holds(runtime: &dyn Runtime, node: &CstNode) -> bool {
    let inner = node.as_object().and_then(|entry| entry.array_value("hooks"));
    let own = command(node).is_some_and(|command| is_ours(runtime, &command));
    own || inner.is_some_and(|inner| inner.elements().iter().any(|node| holds(runtime, node)))
}

fn is_ours(runtime: &dyn Runtime, command: &str) -> bool {
    command.contains(&marker(runtime))
}

/// The handlers of a list of entries, or the entries themselves where there is no level between.
fn handlers(entries: &CstArray) -> Vec<CstNode> {
    let inner = |entry: CstNode| match entry.as_object().and_then(|e| e.array_value("hooks")) {
        Some(inner) => inner.elements(),
        None => vec![entry],
    };
    entries.elements().into_iter().flat_map(inner).collect()
}

fn command(handler: &CstNode) -> Option<String> {
    let value = handler.as_object()?.get("command")?.value()?;
    value.as_string_lit()?.decoded_value().ok()
}

fn hooks(root: &CstRootNode) -> Result<Option<CstObject>, String> {
    match root.object_value() {
        Some(document) if document.get("hooks").is_none() => Ok(None),
        Some(document) => match document.object_value("hooks") {
            None => Err("\"hooks\" is not an object".to_owned()),
            found => Ok(found),
        },
        None if root.value().is_none() => Ok(None),
        None => Err("it is not a JSON object".to_owned()),
    }
}

/// The text with the values masked that may be secrets: variables, headers, keys.
fn masked(text: &str) -> String {
    let Ok(root) = parse(text) else {
        return String::new();
    };
    if let Some(document) = root.value() {
        mask(&document, false);
    }
    root.to_string()
}

fn mask(node: &CstNode, is_secret: bool) {
    const SECRET: [&str; 8] =
        ["auth", "credential", "env", "header", "key", "password", "secret", "token"];
    if let Some(text) = node.as_string_lit().filter(|_| is_secret) {
        text.set_raw_value("\"…\"".to_owned());
    }
    for value in node.as_array().map(|array| array.elements()).unwrap_or_default() {
        mask(&value, is_secret);
    }
    for property in node.as_object().map(|object| object.properties()).unwrap_or_default() {
        let name = property.decoded_name().unwrap_or_default().to_lowercase();
        if let Some(value) = property.value() {
            mask(&value, is_secret || SECRET.iter().any(|part| name.contains(part)));
        }
    }
}

/// Reads JSON, in which comments and commas at the end are allowed and kept.
fn parse(text: &str) -> Result<CstRootNode, String> {
    let options = ParseOptions {
        allow_comments: true,
        allow_trailing_commas: true,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    };
    CstRootNode::parse(text, &options).map_err(|error| error.to_string())
}

trait IntoInput {
    fn into_input(self) -> CstInputValue;
}

impl IntoInput for Value {
    fn into_input(self) -> CstInputValue {
        match self {
            Self::Null => CstInputValue::Null,
            Self::Bool(value) => CstInputValue::Bool(value),
            Self::Number(number) => CstInputValue::Number(number.to_string()),
            Self::String(text) => CstInputValue::String(text),
            Self::Array(values) => {
                CstInputValue::Array(values.into_iter().map(Self::into_input).collect())
            }
            Self::Object(fields) => CstInputValue::Object(
                fields.into_iter().map(|(name, value)| (name, value.into_input())).collect(),
            ),
        }
    }
}

fn unusable(path: &Path, complaint: &str) -> Failure {
    Failure::config(format!("{} can't be changed: {complaint}", path.display()))
        .hint("repair the file or move it away; it was not changed")
}

fn read(path: &Path) -> Result<Option<String>, Failure> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::config(format!("{} can't be read: {error}", path.display()))),
    }
}

/// The file that a symbolic link leads to: a rename would replace the link itself.
fn followed(path: PathBuf) -> Result<PathBuf, Failure> {
    match fs::symlink_metadata(&path) {
        Ok(meta) if meta.is_symlink() => fs::canonicalize(&path).map_err(|error| {
            Failure::config(format!("{} is a broken link: {error}", path.display()))
        }),
        _ => Ok(path),
    }
}

fn backup(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(BACKUP);
    name.into()
}

/// Writes a file that is complete before it gets its name, with the permissions of another file, or
/// for this user alone if there is no such file.
fn write(path: &Path, text: &str, like: &Path) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new().prefix(".machins-").tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    if let Ok(meta) = fs::metadata(like) {
        keep_owner(file.path(), &meta)?;
        file.as_file().set_permissions(meta.permissions())?;
    }
    file.as_file().sync_all()?;
    persist(file, path)
}

/// Gives the file to the owner of the file that it replaces, which matters to root.
#[cfg(unix)]
fn keep_owner(path: &Path, meta: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, chown};
    let own = fs::metadata(path)?;
    if (own.uid(), own.gid()) == (meta.uid(), meta.gid()) {
        return Ok(());
    }
    chown(path, Some(meta.uid()), Some(meta.gid()))
}

#[cfg(not(unix))]
fn keep_owner(_path: &Path, _meta: &fs::Metadata) -> io::Result<()> {
    Ok(())
}

//! The imports between source files, from `use` trees and paths.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use syn::visit::{self, Visit};
use syn::{Item, UseTree, Visibility};

/// A module: `crate::audit::ledger` as `["audit", "ledger"]`.
pub type Module = Vec<String>;

/// Declarations and imports of a file.
#[derive(Default)]
struct File {
    /// Names declared in the file.
    own: BTreeSet<String>,
    /// Names that it re-exports, and their origins.
    given_on: BTreeMap<String, Module>,
    /// Paths that it uses, from the crate's root.
    used: BTreeSet<Module>,
}

/// Returns every module with the modules that it uses. A re-export is not a use: its importer uses
/// the declaring module. Uses between a module and its submodules are left out.
pub fn imports(root: &Path) -> BTreeMap<Module, BTreeSet<Module>> {
    let mut files = BTreeMap::new();
    for path in super::walk(root) {
        let relative = path.strip_prefix(root).unwrap().with_extension("");
        let mut module: Module = relative.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
        if module.last().is_some_and(|last| last == "mod") {
            module.pop();
        }
        if path.extension().is_some_and(|ending| ending == "rs") && module != ["main"] && module != ["lib"] {
            let text = fs::read_to_string(&path).unwrap();
            let syntax = syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            files.insert(module.clone(), read(module, &syntax));
        }
    }
    let target = |path: &Module| resolve(&files, path, 0);
    let uses = |(module, file): (&Module, &File)| {
        let used = file.used.iter().filter_map(target).filter(|used| !used.starts_with(module)).collect();
        (module.clone(), used)
    };
    files.iter().map(uses).collect()
}

/// Returns the module that declares what a path names.
fn resolve(files: &BTreeMap<Module, File>, path: &Module, depth: usize) -> Option<Module> {
    let length = (1..=path.len()).rev().find(|length| files.contains_key(&path[..*length]))?;
    let module = path[..length].to_vec();
    let file = &files[&module];
    match path.get(length).and_then(|name| file.given_on.get(name)) {
        Some(from) if depth < 8 => {
            let onward: Module = from.iter().chain(&path[length + 1..]).cloned().collect();
            resolve(files, &onward, depth + 1).or(Some(module))
        }
        _ => Some(module),
    }
}

fn read(module: Module, syntax: &syn::File) -> File {
    let mut reader = Reader { module, file: File::default(), names: BTreeMap::new() };
    let tests = |attributes: &[syn::Attribute]| {
        attributes.iter().any(|attribute| {
            attribute.path().is_ident("cfg")
                && attribute.parse_args::<syn::Ident>().is_ok_and(|name| name == "test")
        })
    };
    // Names are resolved before their use.
    for item in &syntax.items {
        match item {
            Item::Use(item) => reader.use_tree(&item.vis, Vec::new(), &item.tree),
            Item::Mod(item) if item.content.is_none() => {
                let name = item.ident.to_string();
                let path = reader.module.iter().cloned().chain([name.clone()]).collect();
                reader.names.insert(name, path);
            }
            _ => {}
        }
    }
    for item in &syntax.items {
        match item {
            Item::Mod(item) if tests(&item.attrs) => {}
            item => reader.visit_item(item),
        }
    }
    reader.file
}

struct Reader {
    module: Module,
    file: File,
    /// Aliases of this file.
    names: BTreeMap<String, Module>,
}

impl Reader {
    /// Returns a path from the crate's root, if it is in the crate.
    fn rooted(&self, path: &[String]) -> Option<Module> {
        let (first, rest) = path.split_first()?;
        let onto = |start: &[String]| Some(start.iter().chain(rest).cloned().collect());
        match first.as_str() {
            "crate" => onto(&[]),
            "self" => onto(&self.module),
            "super" => {
                let mut start = self.module.clone();
                start.pop();
                let supers = rest.iter().take_while(|part| *part == "super").count();
                (0..supers).for_each(|_| drop(start.pop()));
                Some(start.iter().chain(&rest[supers..]).cloned().collect())
            }
            name => self.names.get(name).and_then(|start| onto(start)),
        }
    }

    fn use_tree(&mut self, visibility: &Visibility, before: Vec<String>, tree: &UseTree) {
        let with = |name: String| before.iter().cloned().chain([name]).collect::<Vec<_>>();
        match tree {
            UseTree::Path(path) => self.use_tree(visibility, with(path.ident.to_string()), &path.tree),
            UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.use_tree(visibility, before.clone(), tree));
            }
            UseTree::Name(name) if name.ident == "self" => {
                let own = before.last().cloned().unwrap_or_default();
                self.used(visibility, own, before);
            }
            UseTree::Name(name) => {
                self.used(visibility, name.ident.to_string(), with(name.ident.to_string()))
            }
            UseTree::Rename(name) => {
                let path = if name.ident == "self" { before } else { with(name.ident.to_string()) };
                self.used(visibility, name.rename.to_string(), path);
            }
            UseTree::Glob(_) => self.used(visibility, "*".to_owned(), before),
        }
    }

    fn used(&mut self, visibility: &Visibility, name: String, path: Vec<String>) {
        let Some(path) = self.rooted(&path) else { return };
        if matches!(visibility, Visibility::Inherited) {
            self.names.insert(name, path.clone());
            self.file.used.insert(path);
        } else {
            self.file.given_on.insert(name, path);
        }
    }
}

impl Visit<'_> for Reader {
    fn visit_path(&mut self, path: &syn::Path) {
        let parts: Vec<String> = path.segments.iter().map(|part| part.ident.to_string()).collect();
        let leads = parts.len() > 1 || self.names.contains_key(&parts[0]);
        if let Some(path) = self.rooted(&parts).filter(|_| leads) {
            self.file.used.insert(path);
        }
        visit::visit_path(self, path);
    }

    fn visit_item_use(&mut self, _: &syn::ItemUse) {}
}

/// Returns modules that use each other, directly or indirectly.
pub fn cycles(imports: &BTreeMap<Module, BTreeSet<Module>>) -> Vec<Vec<Module>> {
    let reach = |from: &Module| {
        let (mut seen, mut left) = (BTreeSet::new(), vec![from.clone()]);
        while let Some(module) = left.pop() {
            for next in imports.get(&module).into_iter().flatten() {
                if seen.insert(next.clone()) {
                    left.push(next.clone());
                }
            }
        }
        seen
    };
    let reaches: BTreeMap<&Module, BTreeSet<Module>> =
        imports.keys().map(|module| (module, reach(module))).collect();
    let mut cycles: BTreeSet<Vec<Module>> = BTreeSet::new();
    for (module, reached) in &reaches {
        if reached.contains(*module) {
            let cycle = reached.iter().filter(|other| reaches[other].contains(*module));
            cycles.insert(cycle.cloned().collect());
        }
    }
    cycles.into_iter().collect()
}

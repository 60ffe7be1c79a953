//! Reads the sources as tokens and says which paths each file names.
//!
//! Starts at the two roots and follows `mod` lines, so a file knows its module and whether it is test code. Tokens leave
//! out comments and texts and look into macros; what a path means is judged by its first names alone.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

/// One file and the paths that it names.
pub(super) struct Source {
    /// Below the checkout: `src/wal/frame.rs`.
    pub(super) file: String,
    /// The module below the root: `wal`; `lib` or `main` for the roots themselves.
    pub(super) module: String,
    pub(super) paths: Vec<Named>,
    children: Vec<Child>,
}

/// A path as a file names it.
pub(super) struct Named {
    pub(super) target: Target,
    pub(super) in_test: bool,
}

/// What a path leads to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A module below our root.
    Inside(String),
    /// Another crate, or anything else that a scope may hold.
    Outside(String),
}

struct Child {
    at: Vec<String>,
    in_test: bool,
}

impl Source {
    /// Reads `text` as the file of the module `at`.
    pub(super) fn parse(file: &str, at: &[&str], text: &str) -> Self {
        let at = at.iter().map(|name| (*name).to_owned()).collect();
        Self::read(file, at, text, false)
    }

    fn read(file: &str, at: Vec<String>, text: &str, in_test: bool) -> Self {
        let root = if file == "src/main.rs" { "main" } else { "lib" };
        let module = at.first().map_or(root, String::as_str).to_owned();
        let tokens: TokenStream = text.parse().expect("what is no Rust does not compile");
        let mut reader = Reader {
            at,
            in_test,
            paths: Vec::new(),
            locals: BTreeSet::new(),
            children: Vec::new(),
        };
        reader.walk(tokens);
        let Reader {
            mut paths,
            locals,
            children,
            ..
        } = reader;
        paths.retain(|path| match &path.target {
            Target::Inside(_) => true,
            Target::Outside(path) => !locals.contains(path.split("::").next().unwrap()),
        });
        Self {
            file: file.to_owned(),
            module,
            paths,
            children,
        }
    }

    /// Returns the modules of ours that the file names. Tests keep to the floors too: one that needs more is at home
    /// in `tests/it`.
    pub(super) fn inside(&self) -> impl Iterator<Item = &str> {
        self.paths.iter().filter_map(|path| match &path.target {
            Target::Inside(module) => Some(module.as_str()),
            Target::Outside(_) => None,
        })
    }

    /// Returns the paths into other crates, outside tests.
    pub(super) fn outside(&self) -> impl Iterator<Item = &str> {
        self.paths
            .iter()
            .filter(|path| !path.in_test)
            .filter_map(|path| match &path.target {
                Target::Outside(path) => Some(path.as_str()),
                Target::Inside(_) => None,
            })
    }
}

struct Reader {
    at: Vec<String>,
    in_test: bool,
    paths: Vec<Named>,
    /// Names that modules and imports of the file bring: `metrics` may be a module rather than the crate.
    locals: BTreeSet<String>,
    children: Vec<Child>,
}

impl Reader {
    fn walk(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let outer = self.in_test;
        let mut next = 0;
        while let Some(token) = tokens.get(next) {
            next += 1;
            match token {
                TokenTree::Punct(hash) if hash.as_char() == '#' => {
                    self.in_test |= tokens.get(next).is_some_and(is_test_attribute);
                }
                TokenTree::Ident(word) if word == "mod" => {
                    next = self.module(&tokens, next);
                    self.in_test = outer;
                }
                TokenTree::Ident(word) if word == "use" => {
                    next = self.path(&tokens, next, &[], true)
                }
                TokenTree::Ident(_) => next = self.path(&tokens, next - 1, &[], false),
                TokenTree::Group(group) => {
                    self.walk(group.stream());
                    if group.delimiter() == Delimiter::Brace {
                        self.in_test = outer;
                    }
                }
                TokenTree::Punct(end) if end.as_char() == ';' => self.in_test = outer,
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
        self.in_test = outer;
    }

    /// Reads what follows the word `mod`: a name, then `;` or the module itself.
    fn module(&mut self, tokens: &[TokenTree], next: usize) -> usize {
        let Some(TokenTree::Ident(name)) = tokens.get(next) else {
            return next;
        };
        self.locals.insert(name.to_string());
        self.at.push(name.to_string());
        match tokens.get(next + 1) {
            Some(TokenTree::Group(body)) => self.walk(body.stream()),
            _ => self.children.push(Child {
                at: self.at.clone(),
                in_test: self.in_test,
            }),
        }
        self.at.pop();
        next + 2
    }

    /// Reads a path, or the tree of an import, from `next` on, and returns where it ends.
    fn path(
        &mut self,
        tokens: &[TokenTree],
        mut next: usize,
        prefix: &[String],
        imported: bool,
    ) -> usize {
        let mut names = prefix.to_vec();
        loop {
            match tokens.get(next) {
                Some(TokenTree::Punct(colon)) if imported && colon.as_char() == ':' => next += 1,
                Some(TokenTree::Group(tree))
                    if imported && tree.delimiter() == Delimiter::Brace =>
                {
                    let branches: Vec<TokenTree> = tree.stream().into_iter().collect();
                    for branch in branches.split(|token| is_punct(Some(token), ',')) {
                        self.path(branch, 0, &names, true);
                    }
                    return next + 1;
                }
                Some(TokenTree::Ident(name)) => {
                    names.push(name.to_string());
                    next += 1;
                    let ends =
                        !(is_joint_colon(tokens.get(next)) && is_punct(tokens.get(next + 1), ':'));
                    let generic = matches!(tokens.get(next + 2), Some(TokenTree::Punct(p)) if p.as_char() == '<');
                    if ends || (generic && !imported) {
                        break;
                    }
                    next += 2;
                }
                _ => break,
            }
        }
        if imported && names.len() > 1 {
            let name = self.local_name(tokens, next, &names);
            // `use bytes::bytes` brings what it is called by; it does not hide the crate.
            if name != names[0] {
                self.locals.insert(name);
            }
        }
        if imported || names.len() > 1 {
            self.record(&names);
        }
        next
    }

    /// Returns the name under which an import is known: its last, or the one after `as`.
    fn local_name(&self, tokens: &[TokenTree], next: usize, names: &[String]) -> String {
        match (tokens.get(next), tokens.get(next + 1)) {
            (Some(TokenTree::Ident(word)), Some(TokenTree::Ident(alias))) if word == "as" => {
                alias.to_string()
            }
            _ if names.ends_with(&["self".to_owned()]) => names[names.len() - 2].clone(),
            _ => names[names.len() - 1].clone(),
        }
    }

    fn record(&mut self, names: &[String]) {
        let ups = names.iter().take_while(|name| *name == "super").count();
        let above = &self.at[..self.at.len().saturating_sub(ups)];
        let absolute = match names.first().map(String::as_str) {
            Some("crate") => names.get(1),
            Some("self") => self.at.first(),
            Some("super") => above.first().or(names.get(ups)),
            _ => None,
        };
        let target = match absolute {
            Some(module) => Target::Inside(module.clone()),
            None => Target::Outside(names.join("::")),
        };
        self.paths.push(Named {
            target,
            in_test: self.in_test,
        });
    }
}

fn is_punct(token: Option<&TokenTree>, character: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == character)
}

fn is_joint_colon(token: Option<&TokenTree>) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == ':' && punct.spacing() == Spacing::Joint)
}

/// Returns whether this is the bracket of `#[cfg(test)]`, `#[test]` or `#[tokio::test]`.
fn is_test_attribute(bracket: &TokenTree) -> bool {
    let text: String = bracket.to_string().split_whitespace().collect();
    ["[cfg(test)]", "[test]", "[tokio::test"]
        .iter()
        .any(|start| text.starts_with(start))
}

/// Reads every file that a `mod` line leads to, from both roots.
pub(super) fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    for root in ["src/lib.rs", "src/main.rs"] {
        let source = Source::read(root, Vec::new(), &read(root), false);
        follow(source, &mut found);
    }
    found
}

fn follow(source: Source, found: &mut Vec<Source>) {
    for child in &source.children {
        let stem = format!("src/{}", child.at.join("/"));
        let file = [format!("{stem}.rs"), format!("{stem}/mod.rs")]
            .into_iter()
            .find(|file| checkout().join(file).exists())
            .expect("a module without a file does not compile");
        follow(
            Source::read(&file, child.at.clone(), &read(&file), child.in_test),
            found,
        );
    }
    found.push(source);
}

/// Returns the names of the crates that Cargo.toml lets the product use, as Rust spells them.
pub(super) fn dependencies() -> BTreeSet<String> {
    let manifest: toml::Table = read("Cargo.toml").parse().unwrap();
    let for_all = manifest["dependencies"].as_table().unwrap();
    let for_some = manifest["target"].as_table().unwrap().values();
    let tables = for_some
        .map(|target| target["dependencies"].as_table().unwrap())
        .chain([for_all]);
    tables
        .flat_map(|table| table.keys())
        .map(|name| name.replace('-', "_"))
        .collect()
}

/// Returns all Rust files below a folder of the checkout.
pub(super) fn files(below: &str) -> Vec<String> {
    let (mut folders, mut files) = (vec![checkout().join(below)], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                files.push(
                    path.strip_prefix(checkout())
                        .unwrap()
                        .to_str()
                        .unwrap()
                        .to_owned(),
                );
            }
        }
    }
    files
}

/// Returns the text of a file of the checkout.
pub(super) fn read(file: &str) -> String {
    fs::read_to_string(checkout().join(file)).unwrap()
}

fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

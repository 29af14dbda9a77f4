//! The layers, as a table: which module may import which, and what is allowed in a few places only.
//!
//! The checks read the source as text, without comments and literals, so that they need no compiler and see every
//! feature at once. Each check is a function on text, and each is tried on text that breaks it.

#![allow(clippy::disallowed_methods)] // The list is for the domain.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Every module at the top of the crate, and those that it may import beside itself.
///
/// The way is app -> adapter -> domain. Adapters know the domain and the operating system, not each other.
const LAYERS: [(&str, &[&str]); 15] = [
    ("blob", &["domain"]),
    ("control", &["domain"]),
    ("control_server", &["domain", "os"]),
    ("ctl", &["control", "domain"]),
    ("db", &["domain"]),
    ("domain", &[]),
    ("gst", &["domain", "os"]),
    ("house", &["blob", "db", "domain", "logging", "web"]),
    ("kms", &["domain", "os"]),
    ("logging", &[]),
    ("net", &["domain", "os"]),
    ("os", &["domain"]),
    ("picture", &["domain", "os"]),
    (
        "player",
        &[
            "control",
            "control_server",
            "domain",
            "gst",
            "kms",
            "logging",
            "net",
            "os",
            "picture",
        ],
    ),
    ("web", &["blob", "db", "domain"]),
];

/// What a binary may import of the library.
const APPS: [&str; 3] = ["ctl", "house", "player"];

/// The files that may have `unsafe` in them, each with its reason there.
const UNSAFE: [&str; 6] = [
    "src/gst/frames.rs",
    "src/kms/atomic/framebuffer.rs",
    "src/os/cec.rs",
    "src/os/console.rs",
    "src/os/memory.rs",
    "src/os/realtime.rs",
];

/// The file that decides what belongs to which feature.
const FEATURES: &str = "src/lib.rs";

const LONGEST_BIN: usize = 60;
const LONGEST_FILE: usize = 800;

/// What is wrong with a file, by its path from the package's root and its text.
fn faults(path: &str, text: &str) -> Vec<String> {
    let code = without_comments_and_literals(text);
    let lines = text.lines().count();
    let mut faults = Vec::new();
    if lines > LONGEST_FILE {
        faults.push(format!(
            "{path}: {lines} lines, {LONGEST_FILE} at most: split it by noun"
        ));
    }
    if words(&code).any(|(_, word)| word == "unsafe") && !UNSAFE.contains(&path) {
        faults.push(format!("{path}: unsafe, and not in the table of files"));
    }
    let Some(inside) = path.strip_prefix("src/") else {
        return faults;
    };
    if path != FEATURES && decides_on_features(&code) {
        faults.push(format!("{path}: a feature, which only {FEATURES} decides"));
    }
    if inside.starts_with("bin/") {
        if lines > LONGEST_BIN {
            faults.push(format!("{path}: {lines} lines, {LONGEST_BIN} at most"));
        }
        for module in imports(&code, "musebox", 0) {
            if !APPS.contains(&module.as_str()) {
                faults.push(format!("{path}: imports {module}, may import {APPS:?}"));
            }
        }
    } else if path != "src/lib.rs" {
        faults.extend(layer_faults(path, inside, &code));
    }
    faults
}

fn layer_faults(path: &str, inside: &str, code: &str) -> Vec<String> {
    let parts: Vec<&str> = inside.trim_end_matches(".rs").split('/').collect();
    let depth = parts.iter().filter(|part| **part != "mod").count();
    let Some((own, allowed)) = LAYERS.iter().find(|(module, _)| *module == parts[0]) else {
        return vec![format!("{path}: the table does not know its module")];
    };
    imports(code, "crate", depth)
        .into_iter()
        .filter(|module| module != own && !allowed.contains(&module.as_str()))
        .map(|module| format!("{path}: imports {module}; {own} may import {allowed:?}"))
        .collect()
}

/// The modules named after `root::`, single or in braces, and after enough of `super::` to leave a module that is
/// `depth` deep.
fn imports(code: &str, root: &str, depth: usize) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, word) in words(code) {
        let after = &code[at + word.len()..];
        let before = code[..at].trim_end();
        if word == root
            && (root == "crate" || !before.ends_with("::"))
            && let Some(path) = after.trim_start().strip_prefix("::")
        {
            found.extend(first_names(path));
        }
        if word == "super" && !before.ends_with("::") && depth > 0 {
            let (mut rest, mut up) = (after, 1);
            while let Some(next) = rest.trim_start().strip_prefix("::") {
                match next.trim_start().strip_prefix("super") {
                    Some(next) => (rest, up) = (next, up + 1),
                    None => {
                        rest = next;
                        break;
                    }
                }
            }
            // An inline module is one deeper than its file says, so only names of the table count here.
            let known = |name: &String| LAYERS.iter().any(|(module, _)| module == name);
            if up >= depth && (up > 1 || depth == 1) {
                found.extend(first_names(rest).into_iter().filter(known));
            }
        }
    }
    found.remove("self");
    found
}

/// The first names of a path or of a tree of paths in braces.
fn first_names(path: &str) -> Vec<String> {
    let path = path.trim_start();
    let Some(tree) = path.strip_prefix('{') else {
        return words(path)
            .next()
            .filter(|(at, _)| *at == 0)
            .map(|(_, word)| word.to_owned())
            .into_iter()
            .collect();
    };
    let (mut names, mut depth, mut fresh) = (Vec::new(), 1, true);
    for (at, character) in tree.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => fresh = true,
            _ if fresh && depth == 1 && is_word(character) => {
                fresh = false;
                names.extend(words(&tree[at..]).next().map(|(_, word)| word.to_owned()));
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

/// Whether something is left in or out by a feature: `cfg`, `cfg_attr` or `cfg!` with `feature` between its parentheses.
fn decides_on_features(code: &str) -> bool {
    words(code)
        .filter(|(_, word)| matches!(*word, "cfg" | "cfg_attr"))
        .any(|(at, word)| {
            let after = code[at + word.len()..].trim_start_matches(['!', ' ']);
            let mut depth = 0;
            let end = after
                .char_indices()
                .find(|(_, character)| {
                    match character {
                        '(' => depth += 1,
                        ')' => depth -= 1,
                        _ => {}
                    }
                    depth == 0
                })
                .map_or(0, |(end, _)| end);
            words(&after[..end]).any(|(_, word)| word == "feature")
        })
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// The words of a text, each with where it begins.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split(|character: char| !is_word(character))
        .filter(|word| !word.is_empty())
        .map(|word| (word.as_ptr() as usize - text.as_ptr() as usize, word))
}

/// The text with nothing in its comments, strings and characters (The Rust Reference, "Tokens").
fn without_comments_and_literals(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let end = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            end_of_block_comment(rest)
        } else if let Some(end) = end_of_raw_string(rest, &code) {
            end
        } else if character == '"' {
            end_of_string(rest)
        } else if character == '\'' {
            end_of_character(rest)
        } else {
            0
        };
        if end == 0 {
            code.push(character);
            rest = &rest[character.len_utf8()..];
        } else {
            code.push(' ');
            rest = &rest[end..];
        }
    }
    code
}

fn end_of_block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        match &text.as_bytes()[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn end_of_raw_string(text: &str, before: &str) -> Option<usize> {
    let hashes = text.strip_prefix('r')?;
    let fence: String = hashes
        .chars()
        .take_while(|character| *character == '#')
        .collect();
    hashes[fence.len()..].strip_prefix('"')?;
    // The r of another word, but for the byte and C strings.
    let prefix: String = before
        .chars()
        .rev()
        .take_while(|character| is_word(*character))
        .collect();
    if !matches!(prefix.as_str(), "" | "b" | "c") {
        return None;
    }
    let opened = 2 + fence.len();
    let close = format!("\"{fence}");
    Some(
        text[opened..]
            .find(&close)
            .map_or(text.len(), |at| opened + at + close.len()),
    )
}

fn end_of_string(text: &str) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Nothing where it is a lifetime.
fn end_of_character(text: &str) -> usize {
    let mut characters = text.char_indices().skip(1);
    match characters.next() {
        Some((_, '\\')) => text[3.min(text.len())..]
            .find('\'')
            .map_or(text.len(), |at| at + 4),
        Some(_) => match characters.next() {
            Some((at, '\'')) => at + 1,
            Some(_) | None => 0,
        },
        None => 0,
    }
}

/// Every Rust file below a folder.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default();
        if path.is_dir() && name != "target" {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn the_source_keeps_its_layers() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "tests", "examples", "benches", "fuzz"] {
        sources(&root.join(folder), &mut files);
    }
    let own = ["src/domain/mod.rs", "src/bin/museboxd.rs", "src/lib.rs"];
    for file in own {
        assert!(files.contains(&root.join(file)), "{file} is not seen");
    }
    let found: Vec<String> = files
        .iter()
        .flat_map(|file| {
            let path = file.strip_prefix(root).expect("below the root");
            let text = fs::read_to_string(file).expect("a text");
            faults(&path.to_string_lossy(), &text)
        })
        .collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn every_module_is_in_the_table_and_every_entry_is_a_module() {
    let lib = include_str!("../src/lib.rs");
    let modules: Vec<&str> = lib
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .collect();
    let modules: BTreeSet<&str> = modules.into_iter().collect();
    assert_eq!(modules, LAYERS.iter().map(|(module, _)| *module).collect());
    for (module, allowed) in LAYERS {
        assert!(allowed.iter().all(|other| modules.contains(other)));
        assert!(!allowed.contains(&module));
    }
}

#[test]
fn nothing_in_the_table_points_back() {
    // Modules are taken away as soon as all that they import is gone; a circle would stay.
    let mut left: Vec<_> = LAYERS.to_vec();
    while !left.is_empty() {
        let names: Vec<&str> = left.iter().map(|(module, _)| *module).collect();
        left.retain(|(_, allowed)| allowed.iter().any(|other| names.contains(other)));
        assert!(left.len() < names.len(), "a circle among {names:?}");
    }
}

#[test]
fn a_planted_import_is_found() {
    for (path, text, named) in [
        ("src/domain/slots.rs", "use crate::os::clock;", "os"),
        (
            "src/domain/a/b.rs",
            "fn f() { crate::gst::open() }",
            "imports gst",
        ),
        (
            "src/gst/slot.rs",
            "use crate::{\n    domain::{ids::A, units::{B}},\n    kms::Display,\n};",
            "imports kms",
        ),
        (
            "src/kms/mod.rs",
            "use crate::{os::frame::Frame, gst};",
            "imports gst",
        ),
        (
            "src/os/clock.rs",
            "use super::super::player::app;",
            "imports player",
        ),
        ("src/os/mod.rs", "use super::picture;", "imports picture"),
        (
            "src/picture/card/mod.rs",
            "use super::super::{control::Client};",
            "control",
        ),
        (
            "src/control_server/mod.rs",
            "pub use crate :: player::app;",
            "imports player",
        ),
        (
            "src/ctl/mod.rs",
            "use crate::player::args;",
            "imports player",
        ),
        ("src/bin/museboxd.rs", "use musebox::gst;", "imports gst"),
        (
            "src/bin/museboxd.rs",
            "use musebox::{player, os};",
            "imports os",
        ),
        ("src/audio/mod.rs", "", "does not know its module"),
    ] {
        let found = faults(path, text);
        assert_eq!(found.len(), 1, "{path}: {text}: {found:?}");
        assert!(found[0].contains(named), "{found:?}");
    }
}

#[test]
fn what_is_allowed_is_no_fault() {
    for (path, text) in [
        ("src/domain/slots.rs", "use crate::domain::ids;"),
        ("src/domain/mp4/mod.rs", "use super::super::domain::ids;"),
        (
            "src/gst/slot.rs",
            "//! See crate::kms.\nuse crate::{domain::kms, os::feed};",
        ),
        (
            "src/player/app.rs",
            "use crate::{gst, kms::{self, scene}, player::args};",
        ),
        (
            "src/gst/slot.rs",
            "fn f<'a>(x: &'a str) { \"crate::kms\"; r#\"\"crate::kms\"#; 'c'; '\\''; }",
        ),
        ("src/gst/slot.rs", "/* /* crate::kms */ unsafe */"),
        (
            "src/bin/museboxd.rs",
            "fn main() { musebox::player::main() }",
        ),
        ("src/gst/frames.rs", "unsafe { read() }"),
        ("src/domain/mod.rs", "#![forbid(unsafe_code)]"),
        ("src/lib.rs", "#[cfg(feature = \"player\")]\npub mod gst;"),
        ("src/os/fd.rs", "#[cfg(test)] mod feature {}"),
        ("tests/layering.rs", "use musebox::os;"),
    ] {
        assert_eq!(faults(path, text), Vec::<String>::new(), "{path}: {text}");
    }
}

#[test]
fn planted_features_unsafe_code_and_long_files_are_found() {
    let line = "// A line.\n";
    for (path, text, named) in [
        (
            "src/gst/mod.rs",
            "#[cfg(feature = \"ctl\")]".to_owned(),
            "feature",
        ),
        (
            "src/gst/mod.rs",
            "#[cfg(all(unix, not(feature = \"x\")))]".to_owned(),
            "feature",
        ),
        (
            "src/os/mod.rs",
            "if cfg!(feature = \"x\") {}".to_owned(),
            "feature",
        ),
        (
            "src/os/mod.rs",
            "#[cfg_attr(feature = \"x\", derive(Debug))]".to_owned(),
            "feature",
        ),
        ("src/gst/slot.rs", "unsafe { read() }".to_owned(), "unsafe"),
        ("tests/play.rs", "unsafe fn f() {}".to_owned(), "unsafe"),
        (
            "src/bin/museboxctl.rs",
            line.repeat(LONGEST_BIN + 1),
            "61 lines",
        ),
        ("src/os/mod.rs", line.repeat(LONGEST_FILE + 1), "801 lines"),
        ("tests/a.rs", line.repeat(LONGEST_FILE + 1), "801 lines"),
    ] {
        let found = faults(path, &text);
        assert_eq!(found.len(), 1, "{path}: {found:?}");
        assert!(found[0].contains(named), "{found:?}");
    }
    assert!(faults("src/os/mod.rs", &line.repeat(LONGEST_FILE)).is_empty());
    assert!(faults("src/bin/museboxctl.rs", &line.repeat(LONGEST_BIN)).is_empty());
}

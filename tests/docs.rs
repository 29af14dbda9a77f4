//! The documents: their links lead somewhere, the commands that they show exist, and the house server takes the
//! settings that they show and has the metrics.
//!
//! Each check is a function on text, and is tried on text that breaks it. A box's configuration has its own test.

#![allow(clippy::disallowed_methods)] // The list is for the domain.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Component, Path, PathBuf},
    process::Command,
};

use musebox::house::args::Serve;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All documents, by their paths from the root.
fn documents() -> BTreeMap<PathBuf, String> {
    let mut paths: Vec<PathBuf> = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md"]
        .map(PathBuf::from)
        .into();
    for entry in fs::read_dir(root().join("docs")).expect("a folder") {
        let path = Path::new("docs").join(entry.expect("an entry").file_name());
        if path.extension().is_some_and(|extension| extension == "md") {
            paths.push(path);
        }
    }
    paths
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(root().join(&path)).expect("a text");
            (path, text)
        })
        .collect()
}

/// A document in its two kinds of text: prose and code, line by line and span by span.
#[derive(Debug, Default)]
struct Parts {
    prose: String,
    code: Vec<String>,
}

fn parts(text: &str) -> Parts {
    let mut parts = Parts::default();
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if fenced {
            parts.code.push(line.to_owned());
        } else {
            for (number, piece) in line.split('`').enumerate() {
                match number % 2 {
                    0 => parts.prose.push_str(piece),
                    _ => {
                        parts.code.push(piece.to_owned());
                        // What a heading's anchor is made of.
                        parts.prose.push_str(piece);
                    }
                }
            }
            parts.prose.push('\n');
        }
    }
    parts
}

/// The targets of `[text](target)` and `![text](target)`.
fn links(prose: &str) -> Vec<&str> {
    prose
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')').map(|(target, _)| target))
        .collect()
}

/// The anchors that a document's headings give, as forges make them.
fn anchors(prose: &str) -> BTreeSet<String> {
    prose
        .lines()
        .filter_map(|line| {
            line.trim_start_matches('#')
                .strip_prefix(' ')
                .filter(|_| line.starts_with('#'))
        })
        .map(|heading| {
            heading
                .trim()
                .to_lowercase()
                .chars()
                .filter(|character| character.is_alphanumeric() || " -_".contains(*character))
                .map(|character| if character == ' ' { '-' } else { character })
                .collect()
        })
        .collect()
}

/// The links of one document that lead nowhere.
fn broken_links(
    path: &Path,
    documents: &BTreeMap<PathBuf, String>,
    exists: impl Fn(&Path) -> bool,
) -> Vec<String> {
    let Parts { prose, .. } = parts(&documents[path]);
    let broken = |target: &&str| {
        if target.starts_with("https://") {
            return false;
        }
        let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
        let mut to = match file {
            "" => path.to_path_buf(),
            file => path.with_file_name(file),
        };
        if to.components().any(|part| part == Component::ParentDir) {
            let mut plain = PathBuf::new();
            for part in to.components() {
                match part {
                    Component::ParentDir => drop(plain.pop()),
                    part => plain.push(part),
                }
            }
            to = plain;
        }
        match (documents.get(&to), anchor) {
            (Some(_), "") => false,
            (Some(text), anchor) => !anchors(&parts(text).prose).contains(anchor),
            (None, "") => !exists(&to),
            (None, _) => true,
        }
    };
    links(&prose)
        .into_iter()
        .filter(broken)
        .map(|target| format!("{}: {target}", path.display()))
        .collect()
}

/// The targets of a Makefile.
fn targets(makefile: &str) -> BTreeSet<&str> {
    makefile
        .lines()
        .filter(|line| !line.starts_with(['\t', '#', '.', ' ']) && !line.contains('='))
        .filter_map(|line| line.split_once(':').map(|(target, _)| target.trim()))
        .collect()
}

/// The `make` commands of a document whose target does not exist.
fn missing_targets<'a>(code: &'a [String], targets: &BTreeSet<&str>) -> Vec<&'a str> {
    code.iter()
        .filter_map(|line| line.trim_start_matches("$ ").strip_prefix("make "))
        .flat_map(str::split_whitespace)
        .filter(|word| !word.contains('=') && !targets.contains(word))
        .collect()
}

/// What a program understands, by its subcommand; the program itself has an empty name.
type Options = BTreeMap<String, BTreeSet<String>>;

/// The long options in a help text.
fn options(help: &str) -> BTreeSet<String> {
    help.split(|character: char| !(character.is_ascii_alphanumeric() || character == '-'))
        .filter(|word| word.len() > 2 && word.starts_with("--"))
        .map(str::to_owned)
        .collect()
}

fn help(program: &str, commands: &[&str]) -> String {
    let output = Command::new(program)
        .args(commands)
        .arg("--help")
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{program} {commands:?} --help");
    String::from_utf8(output.stdout).expect("a text")
}

/// The subcommands that a help text lists. What is indented further goes on with the line above.
fn subcommands(help: &str) -> Vec<&str> {
    help.lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .map_while(|line| line.strip_prefix("  "))
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect()
}

/// What a program understands; a subcommand also what those below it do.
fn understood(program: &str) -> Options {
    let general = help(program, &[]);
    let mut all: Options = [(String::new(), options(&general))].into();
    for name in subcommands(&general) {
        let own = help(program, &[name]);
        let mut known = options(&own);
        for below in subcommands(&own) {
            known.extend(options(&help(program, &[name, below])));
        }
        all.insert(name.to_owned(), known);
    }
    all
}

/// What the three programs understand.
fn programs() -> BTreeMap<&'static str, Options> {
    [
        ("museboxd", understood(env!("CARGO_BIN_EXE_museboxd"))),
        ("museboxctl", understood(env!("CARGO_BIN_EXE_museboxctl"))),
        (
            "musebox-house",
            understood(env!("CARGO_BIN_EXE_musebox-house")),
        ),
    ]
    .into()
}

/// Whose an option is that stands by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bare {
    Ours,
    Anybodys,
}

/// The options and subcommands in lines of code that their program does not know.
fn unknown_words(code: &[String], programs: &BTreeMap<&str, Options>, bare: Bare) -> Vec<String> {
    let mut unknown = Vec::new();
    for line in code {
        let mut words = line.split_whitespace().peekable();
        // A bare option belongs to one of the programs; elsewhere than where only they are spoken of, nobody knows.
        if let Some(option) = words.peek().filter(|word| word.starts_with("--")) {
            let known = |options: &Options| options.values().any(|known| known.contains(*option));
            if bare == Bare::Ours && !programs.values().any(known) {
                unknown.push(format!("{option} in: {line}"));
            }
            continue;
        }
        while let Some(word) = words.next() {
            let program = word.rsplit('/').next().unwrap_or(word);
            let Some(options) = programs.get(program) else {
                continue;
            };
            let mut known = &options[""];
            if let Some(next) = words.peek().filter(|next| !next.starts_with("--"))
                && options.len() > 1
            {
                match options.get(*next) {
                    Some(more) => known = more,
                    None => unknown.push(format!("{next} in: {line}")),
                }
            }
            for word in words.by_ref().take_while(|word| !"|;&&".contains(*word)) {
                let option = word.split('=').next().unwrap_or(word);
                if option.starts_with("--") && !known.contains(option) {
                    unknown.push(format!("{option} in: {line}"));
                }
            }
        }
    }
    unknown
}

#[test]
fn links_lead_somewhere() {
    let documents = documents();
    let exists = |path: &Path| root().join(path).exists();
    let broken: Vec<String> = documents
        .keys()
        .flat_map(|path| broken_links(path, &documents, exists))
        .collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn commands_of_make_have_a_target() {
    let makefile = fs::read_to_string(root().join("Makefile")).expect("a text");
    let targets = targets(&makefile);
    for target in ["demo", "test", "check", "bench", "coverage"] {
        assert!(targets.contains(target), "{target} is promised");
    }
    for (path, text) in documents() {
        let code = parts(&text).code;
        let missing = missing_targets(&code, &targets);
        assert!(missing.is_empty(), "{}: {missing:?}", path.display());
    }
    let readme = parts(&documents()[Path::new("README.md")]).code;
    assert!(readme.contains(&"make demo SECONDS=20".to_owned()));
}

#[test]
fn options_and_commands_exist() {
    let programs = programs();
    assert!(programs["museboxd"][""].contains("--capture-audio"));
    assert!(programs["museboxctl"]["status"].contains("--json"));
    assert!(programs["musebox-house"][""].contains("--public-url"));
    assert!(programs["musebox-house"]["token"].contains("--role"));
    for (path, text) in documents() {
        let bare = match path.starts_with("docs") {
            true => Bare::Anybodys,
            false => Bare::Ours,
        };
        let unknown = unknown_words(&parts(&text).code, &programs, bare);
        let others = ["--no-default-features", "--no-install-recommends"];
        let unknown: Vec<&String> = unknown
            .iter()
            .filter(|word| !others.iter().any(|other| word.starts_with(other)))
            .collect();
        assert!(unknown.is_empty(), "{}: {unknown:#?}", path.display());
    }
}

/// The settings of the house server in a file of this text.
fn house_settings(text: &str) -> Result<Serve, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("house.toml");
    fs::write(&config, text).expect("written");
    let settings = Serve {
        config: Some(config),
        ..Serve::default()
    };
    let read = settings.with_file().map_err(|err| format!("{err:#}"))?;
    Ok(Serve {
        config: None,
        ..read
    })
}

#[test]
fn the_house_server_takes_every_file_of_settings_that_is_shown() {
    let documents = documents();
    let text = &documents[Path::new("docs/house.md")];
    let blocks: Vec<_> = text.split("```toml\n").skip(1).collect();
    assert!(!blocks.is_empty(), "the blocks are found");
    for block in blocks {
        let (text, _) = block.split_once("```").expect("the block's end");
        let settings = house_settings(text).expect(text);
        let nothing = Serve::default();
        assert_ne!(format!("{settings:?}"), format!("{nothing:?}"), "{text}");
    }
}

/// The names of the house server's metrics in a text.
fn metrics(text: &str) -> BTreeSet<&str> {
    text.split(|character: char| !(character.is_ascii_alphanumeric() || character == '_'))
        .filter(|word| word.starts_with("musebox_house_"))
        .collect()
}

#[test]
fn every_metric_of_the_house_server_is_told_and_no_other() {
    let source = fs::read_to_string(root().join("src/web/health.rs")).expect("a text");
    assert!(metrics(&source).contains("musebox_house_boxes_connected"));
    let documents = documents();
    assert_eq!(
        metrics(&documents[Path::new("docs/house.md")]),
        metrics(&source)
    );
    let planted = "`musebox_house_a`, musebox_b \"musebox_house_c_total\"";
    assert_eq!(
        metrics(planted),
        ["musebox_house_a", "musebox_house_c_total"].into()
    );
}

#[test]
fn planted_faults_of_settings_are_found() {
    for (text, told) in [
        ("public-url = \"https://house.example\"", "public-url"),
        ("listen = \"everywhere\"", "socket address"),
        ("behind_proxy = \"yes\"", "boolean"),
    ] {
        let error = house_settings(text).expect_err(text);
        assert!(error.contains(told), "{error}");
    }
}

#[test]
fn planted_broken_links_are_found() {
    let documents: BTreeMap<PathBuf, String> = [
        (
            "README.md",
            "# One `two`, three\n[a](docs/a.md) [b](#one-two-three) [c](docs/a.md#here) ![d](d.png) [e](https://x.example)\n\
             `[no](link)`\n```\n[none](here)\n```\n[f](f.md) [g](#four) [h](docs/a.md#nowhere) [i](../up.md)",
        ),
        ("docs/a.md", "## Here\n[r](../README.md) [s](README.md)"),
    ]
    .map(|(path, text)| (PathBuf::from(path), text.to_owned()))
    .into();
    let exists = |path: &Path| path == Path::new("d.png");
    // A link in a span of code reads as a link, too: nobody writes one there, so it may as well be told.
    assert_eq!(
        broken_links(Path::new("README.md"), &documents, exists),
        [
            "README.md: link",
            "README.md: f.md",
            "README.md: #four",
            "README.md: docs/a.md#nowhere",
            "README.md: ../up.md"
        ]
    );
    assert_eq!(
        broken_links(Path::new("docs/a.md"), &documents, exists),
        ["docs/a.md: README.md"]
    );
}

#[test]
fn planted_targets_and_options_are_found() {
    let targets = targets("# x: y\n.PHONY: ghost\nA = b:c\nall: demo\n\techo no:\ndemo:\n\trun\n");
    assert_eq!(targets, ["all", "demo"].into());
    let code = [
        "make demo SECONDS=20",
        "make all ghost",
        "$ make dance",
        "cmake x",
    ]
    .map(str::to_owned);
    assert_eq!(missing_targets(&code, &targets), ["ghost", "dance"]);

    let help = "Usage: x\n\nCommands:\n  one   Does this,\n        and that\n  two\n  help  Tells\n\nOptions:\n  --three";
    assert_eq!(subcommands(help), ["one", "two"]);
    assert_eq!(subcommands("Options:\n  --three"), [""; 0]);

    let programs: BTreeMap<&str, Options> = [
        (
            "museboxd",
            [(String::new(), options("  --mode <MODE>  as --rounds"))].into(),
        ),
        (
            "museboxctl",
            [
                (String::new(), options("--socket")),
                ("status".to_owned(), options("--json --socket")),
            ]
            .into(),
        ),
    ]
    .into();
    let code = [
        "museboxd --mode 1x1@1 --rounds=3 | judge --other",
        "target/debug/museboxctl status --json",
        "--rounds N",
        "museboxd",
        "museboxd --tempo 3",
        "sudo museboxctl dance",
        "museboxctl status --mode",
        "--dance",
    ]
    .map(str::to_owned);
    assert_eq!(
        unknown_words(&code, &programs, Bare::Ours),
        [
            "--tempo in: museboxd --tempo 3",
            "dance in: sudo museboxctl dance",
            "--mode in: museboxctl status --mode",
            "--dance in: --dance"
        ]
    );
    assert_eq!(unknown_words(&code, &programs, Bare::Anybodys).len(), 3);
}

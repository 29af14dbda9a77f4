//! `docs/configuration.md` and the parser say the same.

#![allow(clippy::disallowed_methods)] // The list is for the domain.

use std::fs;

use musebox::domain::config::{ConfigText, Fragment, KEYS};

fn doc() -> String {
    fs::read_to_string("docs/configuration.md").expect("the documentation")
}

/// The text below the heading of a key, up to the next heading.
fn section<'a>(doc: &'a str, key: &str) -> &'a str {
    let heading = format!("\n### `{key}`\n");
    let mut after = doc.split(&heading).skip(1);
    let text = after
        .next()
        .unwrap_or_else(|| panic!("{key} has no heading"));
    assert_eq!(after.next(), None, "{key} has two headings");
    text.split("\n#").next().unwrap_or(text)
}

#[test]
fn every_toml_block_is_a_configuration() {
    let doc = doc();
    let blocks: Vec<_> = doc.split("```toml\n").skip(1).collect();
    assert!(blocks.len() >= 8, "the blocks are found");
    for block in blocks {
        let (text, _) = block.split_once("```").expect("the block's end");
        let file = ConfigText {
            path: "block.toml".to_owned(),
            text: text.to_owned(),
        };
        let fragment = Fragment::read(&file).expect(text);
        assert_ne!(fragment, Fragment::default(), "{text}");
    }
}

#[test]
fn every_key_is_documented_with_its_default() {
    let doc = doc();
    for key in KEYS {
        let default = match key.default {
            Some(default) => format!("\nDefault: `{default}`\n"),
            None => format!("\nDefault: {}\n", key.otherwise),
        };
        let section = section(&doc, key.path);
        assert!(section.contains(&default), "{}: {default}", key.path);
    }
}

#[test]
fn every_documented_key_is_a_key() {
    let doc = doc();
    let headings: Vec<_> = doc
        .lines()
        .filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`'))
        .collect();
    let keys: Vec<_> = KEYS.iter().map(|key| key.path).collect();
    assert_eq!(headings, keys, "in the same order, too");
}

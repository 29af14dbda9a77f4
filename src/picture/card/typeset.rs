//! Type: measuring, breaking and printing lines in the two faces that musebox carries.
//!
//! The library that shapes and draws is resvg; a line is handed to it as an SVG text. Letters that the faces do not
//! have (they cover Latin, Greek and Cyrillic) are taken from the fonts of the system, which are only then looked for.

use std::sync::{Arc, LazyLock};

use resvg::{
    tiny_skia::{IntSize, Pixmap, Transform},
    usvg::{
        FallbackSelectionFn, FontResolver, Node, Options, Tree,
        fontdb::{Database, Source},
    },
};

use crate::picture::{Picture, PictureError};

/// No text is set beyond this many characters; no screen has room for more.
const LONGEST: usize = 400;
const ELLIPSIS: char = '…';

static FACES: LazyLock<Arc<Database>> = LazyLock::new(|| {
    let mut faces = Database::new();
    for face in [
        include_bytes!("../fonts/Inter-Regular.otf").as_slice(),
        include_bytes!("../fonts/InterDisplay-Light.otf").as_slice(),
    ] {
        faces.load_font_source(Source::Binary(Arc::new(face)));
    }
    Arc::new(faces)
});

/// The faces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Face {
    /// For what is large.
    Display,
    /// For what is read.
    Text,
}

/// How a line is set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Style {
    pub face: Face,
    /// The em in pixels.
    pub size: f32,
    /// Space added between letters, in ems.
    pub tracking: f32,
    /// An SVG colour.
    pub colour: &'static str,
}

impl Style {
    fn attributes(&self) -> String {
        let (family, weight) = match self.face {
            Face::Display => ("Inter Display", 300),
            Face::Text => ("Inter", 400),
        };
        format!(
            r#"font-family="{family}" font-weight="{weight}" font-size="{:.3}" letter-spacing="{:.3}" fill="{}""#,
            self.size,
            self.size * self.tracking,
            self.colour
        )
    }
}

/// A sheet of SVG elements that is filled, then printed.
#[derive(Debug, Default)]
pub(super) struct Sheet(String);

impl Sheet {
    /// Places a line with its baseline's start at a point.
    pub fn line(&mut self, text: &str, style: Style, x: f32, baseline: f32) {
        self.0.push_str(&format!(
            r#"<text x="{x:.2}" y="{baseline:.2}" {}>{}</text>"#,
            style.attributes(),
            escape(text)
        ));
    }

    /// Places a shape, given as SVG of our own.
    pub fn shape(&mut self, svg: &str) {
        self.0.push_str(svg);
    }

    /// The lines, as they are written.
    #[cfg(test)]
    pub fn words(&self) -> Vec<&str> {
        let lines = self.0.split("<text ").skip(1);
        lines
            .filter_map(|line| Some(line.split_once('>')?.1.split_once("</text>")?.0))
            .collect()
    }
}

/// Sets type.
pub(super) struct Setter {
    options: Options<'static>,
}

impl Setter {
    pub fn new() -> Self {
        Self {
            options: Options {
                fontdb: FACES.clone(),
                font_family: "Inter".to_owned(),
                font_resolver: FontResolver {
                    select_font: FontResolver::default_font_selector(),
                    select_fallback: face_with_letter(),
                },
                ..Options::default()
            },
        }
    }

    /// How far a line reaches, in pixels.
    pub fn width(&mut self, text: &str, style: Style) -> f32 {
        let mut sheet = Sheet::default();
        sheet.line(text, style, 0.0, 0.0);
        let Ok(tree) = self.tree(&sheet, 1, 1) else {
            return 0.0;
        };
        let reach = |node: &Node| match node {
            Node::Text(text) => text.bounding_box().right(),
            Node::Group(_) | Node::Path(_) | Node::Image(_) => 0.0,
        };
        tree.root().children().iter().map(reach).fold(0.0, f32::max)
    }

    /// Breaks a text into at most `most` lines no wider than `width`: between words, within a word that is wider than
    /// a line, and with an ellipsis where it does not end in time. No lines where not even that fits.
    pub fn lines(&mut self, text: &str, style: Style, width: f32, most: usize) -> Vec<String> {
        let text: String = clean(text).chars().take(LONGEST).collect();
        let mut words = text
            .split_whitespace()
            .map(str::to_owned)
            .rev()
            .collect::<Vec<_>>();
        let mut lines = Vec::new();
        let mut line = String::new();
        while let Some(word) = words.pop() {
            let longer = match line.is_empty() {
                true => word.clone(),
                false => format!("{line} {word}"),
            };
            if self.width(&longer, style) <= width {
                line = longer;
                continue;
            }
            if lines.len() + 1 >= most {
                line = self.cut(&longer, style, width);
                words.clear();
            } else if line.is_empty() {
                let fits = self.prefix(&word, style, width, "");
                if fits == 0 {
                    return Vec::new();
                }
                let at = word
                    .char_indices()
                    .nth(fits)
                    .map_or(word.len(), |(at, _)| at);
                lines.push(word[..at].to_owned());
                words.push(word[at..].to_owned());
            } else {
                lines.push(std::mem::take(&mut line));
                words.push(word);
            }
        }
        if !line.is_empty() {
            lines.push(line);
        }
        lines.truncate(most);
        lines
    }

    /// The text, or as much of it as leaves room for an ellipsis; nothing where not even that fits.
    fn cut(&mut self, text: &str, style: Style, width: f32) -> String {
        let mut ellipsis = [0; 4];
        let ellipsis: &str = ELLIPSIS.encode_utf8(&mut ellipsis);
        match self.prefix(text, style, width, ellipsis) {
            0 => String::new(),
            fits => {
                let kept: String = text.chars().take(fits).collect();
                // Between words, unless that would leave less than half of the line.
                let kept = match kept.rfind(' ') {
                    Some(at) if at * 2 > kept.len() => &kept[..at],
                    Some(_) | None => &kept,
                };
                let loose = [' ', ',', '.', ':', ';', '-', '–'];
                format!("{}{ELLIPSIS}", kept.trim_end_matches(loose))
            }
        }
    }

    /// How many characters of a text fit before an ending.
    fn prefix(&mut self, text: &str, style: Style, width: f32, ending: &str) -> usize {
        let (mut fits, mut too_many) = (0, text.chars().count() + 1);
        while fits + 1 < too_many {
            let middle = (fits + too_many) / 2;
            let part: String = text.chars().take(middle).chain(ending.chars()).collect();
            match self.width(&part, style) <= width {
                true => fits = middle,
                false => too_many = middle,
            }
        }
        fits
    }

    /// Prints a sheet on a picture.
    pub fn print(&mut self, sheet: &Sheet, on: Picture) -> Result<Picture, PictureError> {
        let size = on.size;
        let tree = self.tree(sheet, size.width, size.height)?;
        // Opaque pixels are the same with their alpha multiplied in, as the pixmap wants them.
        let mut pixmap = IntSize::from_wh(size.width, size.height)
            .and_then(|size| Pixmap::from_vec(on.rgba, size))
            .ok_or_else(|| PictureError::Internal("a canvas of the wrong size".to_owned()))?;
        resvg::render(&tree, Transform::identity(), &mut pixmap.as_mut());
        Ok(Picture {
            size,
            rgba: pixmap.take(),
        })
    }

    fn tree(&mut self, sheet: &Sheet, width: u32, height: u32) -> Result<Tree, PictureError> {
        let svg = format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">{}</svg>"#,
            sheet.0
        );
        let tree = Tree::from_str(&svg, &self.options)
            .map_err(|err| PictureError::Internal(err.to_string()))?;
        // Fonts that had to be looked for need not be looked for again.
        if tree.fontdb().len() > self.options.fontdb.len() {
            self.options.fontdb = tree.fontdb().clone();
        }
        Ok(tree)
    }
}

/// Finds a face that has a letter: one of those at hand, else one of the system's.
fn face_with_letter() -> FallbackSelectionFn<'static> {
    let find = FontResolver::default_fallback_selector();
    Box::new(move |letter, tried, faces| {
        find(letter, tried, faces).or_else(|| {
            if faces.len() > FACES.len() {
                return None;
            }
            Arc::make_mut(faces).load_system_fonts();
            find(letter, tried, faces)
        })
    })
}

/// Control characters and what XML does not allow become spaces.
fn clean(text: &str) -> String {
    let odd = |c: char| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}');
    text.chars().map(|c| if odd(c) { ' ' } else { c }).collect()
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in clean(text).chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    const STYLE: Style = Style {
        face: Face::Text,
        size: 20.0,
        tracking: 0.0,
        colour: "#fff",
    };

    #[test]
    fn both_faces_are_there() {
        let mut setter = Setter::new();
        let wide = setter.width("musebox in the hall", STYLE);
        let light = Style {
            face: Face::Display,
            ..STYLE
        };
        let narrow = setter.width("musebox in the hall", light);
        assert!(
            wide > 150.0 && narrow > 100.0 && narrow < wide,
            "{wide} {narrow}"
        );
        let spaced = Style {
            tracking: 0.1,
            ..STYLE
        };
        assert!(setter.width("musebox", spaced) > setter.width("musebox", STYLE) + 10.0);
        assert_eq!(setter.width("", STYLE), 0.0);
    }

    #[test]
    fn lines_break_between_words_and_end_with_an_ellipsis() {
        let mut setter = Setter::new();
        let text = "Waiting for the house to send a playlist to this screen";
        let whole = setter.lines(text, STYLE, 200.0, 9);
        assert!(whole.len() > 2);
        assert_eq!(whole.join(" "), text);
        let cut = setter.lines(text, STYLE, 200.0, 2);
        assert_eq!(cut.len(), 2);
        assert_eq!(cut[0], whole[0]);
        assert!(cut[1].ends_with(ELLIPSIS), "{cut:?}");
        for line in whole.iter().chain(&cut) {
            assert!(setter.width(line, STYLE) <= 200.0, "{line}");
        }
    }

    #[test]
    fn a_word_wider_than_a_line_is_broken() {
        let mut setter = Setter::new();
        let word = "wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww";
        let lines = setter.lines(word, STYLE, 120.0, 20);
        assert!(lines.len() > 3);
        assert_eq!(lines.concat(), word);
        let one = setter.lines(word, STYLE, 120.0, 1);
        assert!(one.len() == 1 && one[0].ends_with(ELLIPSIS), "{one:?}");
        assert_eq!(setter.lines(word, STYLE, 3.0, 5), Vec::<String>::new());
        assert_eq!(setter.lines(word, STYLE, 3.0, 1), Vec::<String>::new());
    }

    #[test]
    fn no_text_is_taken_for_markup() {
        let mut setter = Setter::new();
        let plain = setter.width("a b c", STYLE);
        for text in ["a\u{0}b\u{1b}c", "a\nb\u{ffff}c", "a\tb\rc"] {
            assert_eq!(setter.width(text, STYLE), plain, "{text:?}");
        }
        let marked = setter.width("</text><script>&amp;\"'", STYLE);
        assert!(marked > 200.0, "{marked}");
    }
}

//! Where the light and the words of a card stand.
//!
//! Lengths are in units of a 720th of the picture's shorter side, so that a card looks the same on every screen; type
//! has a least size in pixels. On a wide picture the words stand left of the light, on a tall one below it.

use crate::{
    domain::units::Size,
    picture::card::{
        Card, ChoosingCard, FailedItem, IdleCard, PairingCard,
        backdrop::Area,
        code,
        typeset::{Face, Setter, Sheet, Style},
    },
};

/// The least size of type in pixels: below it, letters on a screen are no longer read.
const LEAST_TYPE: f32 = 12.0;

const BRIGHT: &str = "#f4eee5";
const PLAIN: &str = "#c9c1b6";
const QUIET: &str = "#958d84";
const ACCENT: &str = "#d9a07c";

/// The room that a picture has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Place {
    /// Where the light is.
    pub opening: Area,
    /// Where the words are.
    words: Area,
    /// Where the wordmark's upper left corner is.
    mark: [f32; 2],
    unit: f32,
}

impl Place {
    pub fn of(size: Size) -> Self {
        let [width, height] = [size.width as f32, size.height as f32];
        let unit = width.min(height) / 720.0;
        match width > 1.15 * height {
            true => Self::wide(width, height, unit),
            false => Self::tall(width, height, unit),
        }
    }

    fn wide(width: f32, height: f32, unit: f32) -> Self {
        let aside = (0.078 * width).min(0.15 * height).max(0.06 * width);
        let above = 0.1 * height;
        let tall = 0.60 * height;
        let broad = (0.75 * tall).min(0.28 * width);
        Self {
            opening: Area {
                left: 0.765 * width - broad / 2.0,
                top: (height - tall) / 2.0,
                width: broad,
                height: tall,
            },
            words: Area {
                left: aside,
                top: above + 64.0 * unit,
                width: 0.555 * width - aside,
                height: height - 2.0 * above - 64.0 * unit,
            },
            mark: [aside, above],
            unit,
        }
    }

    fn tall(width: f32, height: f32, unit: f32) -> Self {
        let aside = 0.095 * width;
        let above = (0.06 * height).max(0.075 * width);
        // A square has less height to spare than an upright picture.
        let spare = 0.26 * height + 0.3 * (height - width).max(0.0);
        let tall = (0.66 * width).min(0.34 * height).min(spare);
        let broad = 0.75 * tall;
        let top = 0.145 * height;
        let from = top + tall + 0.06 * height;
        Self {
            opening: Area {
                left: (width - broad) / 2.0,
                top,
                width: broad,
                height: tall,
            },
            words: Area {
                left: aside,
                top: from,
                width: width - 2.0 * aside,
                height: height - above - from,
            },
            mark: [aside, above],
            unit,
        }
    }

    fn style(&self, face: Face, size: f32, colour: &'static str) -> Style {
        // Large type stands closer, small type wider.
        let tracking = match face {
            Face::Display => -0.012,
            Face::Text => 0.004,
        };
        Style {
            face,
            size: (size * self.unit).max(LEAST_TYPE),
            tracking,
            colour,
        }
    }
}

/// Lays out a card's words.
pub(super) fn arrange(card: &Card, place: &Place, setter: &mut Setter) -> Sheet {
    let mut sheet = Sheet::default();
    wordmark(place, setter, &mut sheet);
    if let Card::Pairing(card) = card
        && let Some(code) = code::svg(&card.link, place.opening)
    {
        sheet.shape(&code);
    }
    let mut column = Column {
        place,
        setter,
        rows: Vec::new(),
    };
    match card {
        Card::Idle(card) => column.idle(card),
        Card::AllFailed(items) => column.all_failed(items),
        Card::Pairing(card) => column.pairing(card),
        Card::Choosing(card) => column.choosing(card),
    }
    column.stand(&mut sheet);
    sheet
}

/// The mark is the card's own light in small, the word stands beside it.
fn wordmark(place: &Place, setter: &mut Setter, sheet: &mut Sheet) {
    let style = Style {
        tracking: 0.02,
        ..place.style(Face::Display, 27.0, BRIGHT)
    };
    let [x, y] = place.mark;
    let tall = 0.84 * style.size;
    let broad = 0.75 * tall;
    let start = x + broad + 0.46 * style.size;
    let right = place.words.left + place.words.width;
    if start + setter.width("musebox", style) > right || y + style.size > place.words.top {
        return;
    }
    sheet.shape(&format!(
        r##"<defs><linearGradient id="light" x2="0" y2="1"><stop stop-color="#f4c39c"/><stop offset="0.45" stop-color="#d8706e"/><stop offset="1" stop-color="#4b3f8f"/></linearGradient></defs><rect x="{x:.2}" y="{y:.2}" width="{broad:.2}" height="{tall:.2}" rx="{:.2}" fill="url(#light)"/>"##,
        0.1 * tall
    ));
    sheet.line("musebox", style, start, y + 0.5 * tall + 0.27 * style.size);
}

/// One row of the column of words.
enum Row {
    Line {
        text: String,
        style: Style,
        height: f32,
    },
    Rule,
    Gap(f32),
}

/// Something told below the rule: texts, each with its style and the most lines that it may have.
struct Note<'a> {
    lines: Vec<(&'a str, Style, usize)>,
    /// What separates it from the one before, in units.
    gap: f32,
}

/// Rows that stand on the foot of the words' area.
struct Column<'a> {
    place: &'a Place,
    setter: &'a mut Setter,
    rows: Vec<Row>,
}

impl Column<'_> {
    fn idle(&mut self, card: &IdleCard) {
        self.headline(&card.name, &[66.0, 54.0, 44.0]);
        self.gap(18.0);
        let waits = self.place.style(Face::Text, 26.0, PLAIN);
        self.paragraph(&card.waits_for, waits, 1.42, 3);
        let address = self.place.style(Face::Text, 21.0, BRIGHT);
        let detail = self.place.style(Face::Text, 19.0, QUIET);
        let note = |text, style, most, gap| Note {
            lines: vec![(text, style, most)],
            gap,
        };
        let mut notes = Vec::new();
        // Half an address leads nowhere, so it has two lines.
        notes.extend(card.address.iter().map(|text| note(text, address, 2, 0.0)));
        for (number, text) in card.detail.iter().take(12).enumerate() {
            let gap = if number == 0 { 7.0 } else { 0.0 };
            notes.push(note(text, detail, 1, gap));
        }
        self.notes(&notes, None);
    }

    fn pairing(&mut self, card: &PairingCard) {
        let plain = self.place.style(Face::Text, 26.0, PLAIN);
        self.paragraph(
            &format!("Pair {} with its house", card.name),
            plain,
            1.42,
            2,
        );
        self.gap(10.0);
        self.code(
            &card.code,
            &[104.0, 92.0, 80.0, 66.0, 52.0, 40.0, 30.0, 20.0],
        );
        self.gap(14.0);
        let text = format!("Type it at {}/pair, or scan the square.", card.house);
        self.paragraph(&text, self.place.style(Face::Text, 22.0, PLAIN), 1.42, 3);
        let quiet = self.place.style(Face::Text, 19.0, QUIET);
        let number = self.place.style(Face::Display, 40.0, BRIGHT);
        let advice = "The page must show this number. If it shows another, say no.";
        self.notes(
            &[
                Note {
                    lines: vec![(&card.check, number, 1)],
                    gap: 0.0,
                },
                Note {
                    lines: vec![(advice, quiet, 2)],
                    gap: 2.0,
                },
            ],
            None,
        );
    }

    /// In the largest type in which every code finds room.
    fn choosing(&mut self, card: &ChoosingCard) {
        for scale in [1.0, 0.88, 0.76, 0.64, 0.5] {
            self.rows.clear();
            self.choices(card, scale);
            if self.height() <= self.place.words.height {
                break;
            }
        }
    }

    fn choices(&mut self, card: &ChoosingCard, scale: f32) {
        let plain = self.place.style(Face::Text, 24.0 * scale, PLAIN);
        let title = self.place.style(Face::Text, 21.0 * scale, BRIGHT);
        let quiet = self.place.style(Face::Text, 19.0 * scale, QUIET);
        let name = &card.name;
        self.paragraph(
            &format!("Pair {name} with one of these houses"),
            plain,
            1.42,
            2,
        );
        for house in &card.houses {
            self.gap(13.0 * scale);
            self.paragraph(&house.house, title, 1.42, 1);
            self.code(
                &house.code,
                &[46.0, 36.0, 28.0, 20.0].map(|size| size * scale),
            );
            let note = format!("{}, at {}/pair", house.note, house.address);
            self.paragraph(&note, quiet, 1.42, 1);
        }
        self.gap(10.0 * scale);
        let advice = "Type the code of a house on its page. It must show the same number.";
        self.paragraph(advice, quiet, 1.42, 2);
    }

    /// A code on one line, at the largest of the sizes that holds it.
    fn code(&mut self, text: &str, sizes: &[f32]) {
        let width = self.place.words.width;
        for size in sizes {
            let style = Style {
                tracking: 0.03,
                ..self.place.style(Face::Display, *size, BRIGHT)
            };
            if self.setter.width(text, style) <= width {
                return self.paragraph(text, style, 1.1, 1);
            }
        }
    }

    fn all_failed(&mut self, items: &[FailedItem]) {
        self.headline("Nothing here can be played", &[54.0, 44.0]);
        self.gap(16.0);
        let plain = self.place.style(Face::Text, 22.0, PLAIN);
        let text = "The box keeps trying, and goes on by itself as soon as one of these is mended.";
        self.paragraph(text, plain, 1.42, 3);
        let title = self.place.style(Face::Text, 21.0, BRIGHT);
        let reason = self.place.style(Face::Text, 18.0, QUIET);
        let most = if items.len() <= 3 { 2 } else { 1 };
        let notes = items.iter().take(40).map(|item| Note {
            lines: vec![(&*item.title, title, 1), (&*item.reason, reason, most)],
            gap: 13.0,
        });
        self.notes(&notes.collect::<Vec<_>>(), Some(items.len()));
    }

    /// The largest of the sizes that holds the text in two lines; at the smallest it is cut.
    fn headline(&mut self, text: &str, sizes: &[f32]) {
        let width = self.place.words.width;
        let Some((smallest, larger)) = sizes.split_last() else {
            return;
        };
        for size in larger {
            let style = self.place.style(Face::Display, *size, BRIGHT);
            let lines = self.setter.lines(text, style, width, 3);
            if (1..=2).contains(&lines.len()) && self.words_are_whole(text, &lines) {
                return self.paragraph(text, style, 1.14, 2);
            }
        }
        let style = self.place.style(Face::Display, *smallest, BRIGHT);
        self.paragraph(text, style, 1.14, 2);
    }

    /// Whether lines hold a text without breaking a word.
    fn words_are_whole(&self, text: &str, lines: &[String]) -> bool {
        let of = |text: &str| {
            text.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        of(&lines.join(" ")) == of(text)
    }

    fn paragraph(&mut self, text: &str, style: Style, leading: f32, most: usize) {
        let height = leading * style.size;
        for text in self.setter.lines(text, style, self.place.words.width, most) {
            self.rows.push(Row::Line {
                text,
                style,
                height,
            });
        }
    }

    fn gap(&mut self, units: f32) {
        self.rows.push(Row::Gap(units * self.place.unit));
    }

    /// A rule and below it as many notes as there is room for. Where it matters how many there are in `all`, those
    /// left out are counted.
    fn notes(&mut self, notes: &[Note<'_>], all: Option<usize>) {
        let before = self.rows.len();
        self.gap(34.0);
        self.rows.push(Row::Rule);
        self.gap(24.0);
        let quiet = self.place.style(Face::Text, 18.0, QUIET);
        let reserve = 1.5 * quiet.size + 13.0 * self.place.unit;
        let mut shown = 0;
        for note in notes {
            let so_far = self.rows.len();
            if shown > 0 {
                self.gap(note.gap);
            }
            for (text, style, most) in &note.lines {
                self.paragraph(text, *style, 1.5, *most);
            }
            let more = all.is_some_and(|all| shown + 1 < all);
            if self.height() + if more { reserve } else { 0.0 } > self.place.words.height {
                self.rows.truncate(so_far);
                break;
            }
            shown += 1;
        }
        if shown == 0 {
            self.rows.truncate(before);
            return;
        }
        if let Some(rest) = all
            .and_then(|all| all.checked_sub(shown))
            .filter(|&rest| rest > 0)
        {
            self.gap(13.0);
            self.paragraph(&format!("and {rest} more"), quiet, 1.5, 1);
        }
    }

    fn height(&self) -> f32 {
        self.rows.iter().map(|row| row.height(self.place)).sum()
    }

    /// Puts the rows on the sheet, the last at the foot. What comes last is left out where there is no room.
    fn stand(mut self, sheet: &mut Sheet) {
        let area = self.place.words;
        while self.height() > area.height {
            self.rows.pop();
        }
        let mut top = area.top + area.height - self.height();
        for row in &self.rows {
            match row {
                Row::Line {
                    text,
                    style,
                    height,
                } => {
                    // A line's letters stand in the middle of its height: 0.73 em above the baseline for capitals.
                    let baseline = top + height / 2.0 + 0.36 * style.size;
                    sheet.line(text, *style, area.left, baseline);
                }
                Row::Rule => sheet.shape(&format!(
                    r#"<rect x="{:.2}" y="{top:.2}" width="{:.2}" height="{:.2}" fill="{ACCENT}"/>"#,
                    area.left,
                    44.0 * self.place.unit,
                    row.height(self.place)
                )),
                Row::Gap(_) => {}
            }
            top += row.height(self.place);
        }
    }
}

impl Row {
    fn height(&self, place: &Place) -> f32 {
        match self {
            Row::Line { height, .. } => *height,
            Row::Rule => (1.6 * place.unit).max(1.0),
            Row::Gap(height) => *height,
        }
    }
}

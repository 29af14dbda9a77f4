//! Cards: what a screen shows when it shows no art.
//!
//! A card is a lit opening in a dark wall and a few lines of type, so that a screen that waits still belongs in a
//! gallery. The light is painted by [`backdrop`], the words are placed by [`layout`] and set by [`typeset`]. The same
//! card at the same size is always the same picture.

mod backdrop;
mod code;
mod layout;
mod typeset;

use crate::{
    domain::units::Size,
    picture::{Limits, Picture, PictureError},
};

use backdrop::Mood;
use typeset::Setter;

/// What stands on a screen that shows no item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Card {
    /// Nothing is playing, and nothing was asked for.
    Idle(IdleCard),
    /// No item of the playlist can be played.
    AllFailed(Vec<FailedItem>),
    /// The box waits to be paired with a house.
    Pairing(PairingCard),
    /// The box waits to be paired with one of several houses.
    Choosing(ChoosingCard),
}

/// The words of the idle card. Whatever is too long is wrapped, then cut with an ellipsis.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdleCard {
    /// What people call the box.
    pub name: String,
    /// Where the box is reached, as in `http://192.168.1.20`.
    pub address: Option<String>,
    /// What it waits for, in plain words: a whole sentence.
    pub waits_for: String,
    /// Lines for whoever looks after the box, the most important first; those that find no room are left out.
    pub detail: Vec<String>,
}

/// What a person needs to pair a box.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PairingCard {
    /// What people call the box.
    pub name: String,
    /// Where the house's page is, as people type it.
    pub house: String,
    /// The code to type there.
    pub code: String,
    /// The number that the page must show as well.
    pub check: String,
    /// What the QR code leads to: the page with the code filled in.
    pub link: String,
}

/// What a person needs to pair a box with one of several houses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChoosingCard {
    /// What people call the box.
    pub name: String,
    /// The houses; there is room for three.
    pub houses: Vec<HouseCode>,
}

/// A house with the code that is good there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HouseCode {
    /// What people call the house.
    pub house: String,
    /// Where its page is, as people type it.
    pub address: String,
    /// The code to type there.
    pub code: String,
    /// The number that the page must show as well, or why there is no code, in plain words.
    pub note: String,
}

/// An item that cannot be played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedItem {
    /// What people call it.
    pub title: String,
    /// Why it cannot be played.
    pub reason: String,
}

/// Draws a card. Sizes are admitted as [`Limits`] has them by default; on one too small for type the light alone
/// is drawn.
pub fn draw(card: &Card, size: Size) -> Result<Picture, PictureError> {
    if size.width == 0 || size.height == 0 {
        return Err(PictureError::Empty);
    }
    Limits::default().admit(size, 4)?;
    let place = layout::Place::of(size);
    let mood = match card {
        Card::Idle(_) => Mood::Open,
        Card::AllFailed(_) | Card::Pairing(_) | Card::Choosing(_) => Mood::Dim,
    };
    let rgba = backdrop::paint(size, place.opening, mood);
    let mut setter = Setter::new();
    let sheet = layout::arrange(card, &place, &mut setter);
    setter.print(&sheet, Picture { size, rgba })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: [Size; 9] = [
        Size::new(640, 360),
        Size::new(720, 576),
        Size::new(1024, 768),
        Size::new(1024, 1024),
        Size::new(1280, 720),
        Size::new(1080, 1920),
        Size::new(1920, 1080),
        Size::new(3840, 600),
        Size::new(3840, 2160),
    ];

    fn cards() -> [Card; 7] {
        let long =
            "The very long name of the north-western corridor behind the winter garden <annex> ";
        [
            Card::Idle(IdleCard {
                name: "Foyer".to_owned(),
                address: Some("http://192.168.1.20".to_owned()),
                waits_for: "Waiting for a playlist from the house.".to_owned(),
                detail: vec!["musebox 0.1.0".to_owned()],
            }),
            Card::Idle(IdleCard {
                name: long.repeat(4),
                address: Some("w".repeat(300)),
                waits_for: long.repeat(9),
                detail: vec![long.repeat(3); 30],
            }),
            Card::AllFailed(vec![
                FailedItem {
                    title: long.repeat(2),
                    reason: long.repeat(5),
                };
                50
            ]),
            Card::Pairing(PairingCard {
                name: "Foyer".to_owned(),
                house: "gallery.example:8443".to_owned(),
                code: "BCDF-GHJK".to_owned(),
                check: "123 456".to_owned(),
                link: "https://gallery.example:8443/pair?code=BCDF-GHJK".to_owned(),
            }),
            Card::Pairing(PairingCard {
                name: long.repeat(4),
                house: "w".repeat(300),
                code: "WWWW-WWWW".to_owned(),
                check: "000 000".to_owned(),
                link: "w".repeat(5000),
            }),
            choosing("Foyer", "Gallery"),
            choosing(&long.repeat(4), &long.repeat(4)),
        ]
    }

    /// A card with as many houses as there are at most.
    fn choosing(name: &str, house: &str) -> Card {
        let code = |code: &str| HouseCode {
            house: house.to_owned(),
            address: format!("{}.example:8443", house.to_lowercase()),
            code: code.to_owned(),
            note: "Number 000 000".to_owned(),
        };
        Card::Choosing(ChoosingCard {
            name: name.to_owned(),
            houses: ["WWWW-WWWW", "MMMM-MMMM", "BCDF-GHJK"].map(code).into(),
        })
    }

    /// The rows and columns between which a card differs from the bare wall, if it does.
    fn printed(card: &Card, size: Size) -> Option<[u32; 4]> {
        let mood = match card {
            Card::Idle(_) => Mood::Open,
            Card::AllFailed(_) | Card::Pairing(_) | Card::Choosing(_) => Mood::Dim,
        };
        let bare = backdrop::paint(size, layout::Place::of(size).opening, mood);
        let drawn = draw(card, size).expect("a card");
        assert_eq!((drawn.size, drawn.rgba.len()), (size, bare.len()));
        let pixels = drawn
            .rgba
            .as_chunks::<4>()
            .0
            .iter()
            .zip(bare.as_chunks::<4>().0);
        let mut bounds: Option<[u32; 4]> = None;
        for (at, _) in (0..).zip(pixels).filter(|(_, (drawn, bare))| drawn != bare) {
            let (x, y) = (at % size.width, at / size.width);
            let [left, top, right, bottom] = bounds.unwrap_or([x, y, x, y]);
            bounds = Some([left.min(x), top.min(y), right.max(x), bottom.max(y)]);
        }
        bounds
    }

    #[test]
    fn words_stay_in_the_safe_area_at_every_size() {
        for size in SIZES {
            let [across, down] = [size.width, size.height].map(|side| side / 20);
            for card in cards() {
                let [left, top, right, bottom] = printed(&card, size).expect("words");
                assert!(
                    left >= across && right < size.width - across,
                    "{size}: from {left} to {right}"
                );
                assert!(
                    top >= down && bottom < size.height - down,
                    "{size}: from {top} to {bottom}"
                );
                assert!(right - left > size.width.min(size.height) / 5);
            }
        }
    }

    #[test]
    fn words_beside_the_light_do_not_run_into_it() {
        for size in [
            Size::new(1280, 720),
            Size::new(1024, 768),
            Size::new(3840, 600),
        ] {
            let opening = layout::Place::of(size).opening;
            // A pairing card has its code where the light is.
            let is_light = |card: &Card| !matches!(card, Card::Pairing(_));
            for card in cards().into_iter().filter(is_light) {
                let [_, _, right, _] = printed(&card, size).expect("words");
                assert!((right as f32) < opening.left, "{size}: {right}");
            }
        }
    }

    #[test]
    fn every_code_finds_room_at_every_size() {
        let long = "The very long name of a house <annex> ";
        for size in SIZES {
            let mut setter = Setter::new();
            let place = layout::Place::of(size);
            for card in [
                choosing("Foyer", "Gallery"),
                choosing(&long.repeat(4), &long.repeat(4)),
            ] {
                let sheet = layout::arrange(&card, &place, &mut setter);
                let words = sheet.words();
                for wanted in ["WWWW-WWWW", "MMMM-MMMM", "BCDF-GHJK"] {
                    assert!(words.contains(&wanted), "{size}: {words:?}");
                }
                let numbers = words
                    .iter()
                    .filter(|line| line.starts_with("Number 000 000"));
                assert_eq!(numbers.count(), 3, "{size}: {words:?}");
            }
        }
    }

    /// What a camera that sees a picture reads of its QR codes.
    fn scanned(picture: &Picture) -> Vec<String> {
        let Size { width, height } = picture.size;
        let pixels = picture.rgba.as_chunks::<4>().0;
        let grey = |x: usize, y: usize| {
            let [red, green, blue, _] = pixels[y * width as usize + x];
            let sum = 3 * u32::from(red) + 6 * u32::from(green) + u32::from(blue);
            u8::try_from(sum / 10).expect("a mean of bytes is a byte")
        };
        let (width, height) = (width as usize, height as usize);
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, height, grey);
        let grids = image.detect_grids().into_iter();
        // What only looks like a code is none.
        grids
            .filter_map(|grid| Some(grid.decode().ok()?.1))
            .collect()
    }

    #[test]
    fn a_telephone_reads_the_page_with_the_code_off_the_card() {
        for size in SIZES {
            let links = [
                "https://gallery.example:8443/pair?code=BCDF-GHJK",
                "https://10.0.0.7/pair?code=BCDF-GHJK",
            ];
            for link in links {
                let card = Card::Pairing(PairingCard {
                    name: "Foyer".to_owned(),
                    house: "gallery.example:8443".to_owned(),
                    code: "BCDF-GHJK".to_owned(),
                    check: "123 456".to_owned(),
                    link: link.to_owned(),
                });
                let picture = draw(&card, size).expect("a card");
                assert_eq!(scanned(&picture), [link], "{size}");
            }
        }
    }

    #[test]
    fn any_size_has_a_card_or_an_error() {
        for (width, height) in [(1, 1), (1, 2000), (2000, 1), (16, 16), (90, 160), (160, 90)] {
            for card in cards() {
                let size = Size::new(width, height);
                let picture = draw(&card, size).expect("a card");
                assert_eq!(picture.size, size);
                assert_eq!(picture.rgba.len() as u32, width * height * 4);
            }
        }
        let [card, ..] = cards();
        assert_eq!(draw(&card, Size::new(0, 9)), Err(PictureError::Empty));
        for size in [Size::new(u32::MAX, u32::MAX), Size::new(16_386, 2)] {
            let refused = draw(&card, size);
            assert!(
                matches!(refused, Err(PictureError::TooLarge { .. })),
                "{refused:?}"
            );
        }
    }
}

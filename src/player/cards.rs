//! What the box says about itself on the screen.

use std::net::IpAddr;

use crate::{
    domain::{
        config::Settings, ids::ScreenName, player::Snapshot, protocol::MediaStatus,
        sequencer::Card, units::Size,
    },
    net::{Offer, Parting, Phase, Standing},
    os::frame::Frame,
    picture::{
        PictureError,
        card::{self, ChoosingCard, FailedItem, HouseCode, IdleCard, PairingCard},
    },
};

/// What cards say of the house.
pub struct HouseView<'a> {
    /// How it stands with it.
    pub standing: &'a Standing,
    /// The media of the playlist that is to be played, where some are still missing.
    pub fetching: Option<MediaStatus>,
}

/// What a card says.
pub fn card(
    card: Card,
    settings: &Settings,
    snapshot: &Snapshot,
    house: &HouseView<'_>,
) -> card::Card {
    match card {
        Card::Idle => pairing(house.standing, settings)
            .unwrap_or_else(|| card::Card::Idle(idle(settings, snapshot, house))),
        Card::AllFailed => card::Card::AllFailed(failed(snapshot)),
    }
}

/// The card with the code, or with the codes of several houses, while there is any.
pub fn pairing(standing: &Standing, settings: &Settings) -> Option<card::Card> {
    match &standing.phase {
        Phase::Pairing { invitation, .. } => {
            let (url, invitation) = (standing.url.as_ref()?, invitation.as_ref()?);
            Some(card::Card::Pairing(PairingCard {
                name: settings.name.clone(),
                house: url.short().to_owned(),
                code: invitation.code.clone(),
                check: invitation.check.clone(),
                link: url.join(&format!("/pair?code={}", invitation.code)),
            }))
        }
        Phase::Choosing { offers, .. } => {
            let has_code = |offer: &Offer| offer.invitation.is_some();
            offers.iter().any(has_code).then(|| {
                card::Card::Choosing(ChoosingCard {
                    name: settings.name.clone(),
                    houses: offers.iter().map(house_code).collect(),
                })
            })
        }
        Phase::Alone | Phase::Linked { .. } | Phase::Parted(_) => None,
    }
}

fn house_code(offer: &Offer) -> HouseCode {
    let (code, note) = match (&offer.invitation, &offer.problem) {
        (Some(invitation), _) => (
            invitation.code.clone(),
            format!("Number {}", invitation.check),
        ),
        (None, Some(problem)) => (String::new(), format!("No code yet: {problem}")),
        (None, None) => (String::new(), "Asked for a code".to_owned()),
    };
    HouseCode {
        house: offer.name.clone(),
        address: offer.url.short().to_owned(),
        code,
        note,
    }
}

/// The card by which somebody finds the box.
pub fn identify(settings: &Settings, screen: &ScreenName) -> card::Card {
    let several = settings.screens.len() > 1;
    card::Card::Idle(IdleCard {
        name: settings.name.clone(),
        address: address().map(|address| address.to_string()),
        waits_for: "This is the one".to_owned(),
        detail: several
            .then(|| format!("Its screen “{screen}”."))
            .into_iter()
            .collect(),
    })
}

/// Why a box does not belong to a house, for people.
pub fn parted(why: Parting) -> &'static str {
    match why {
        Parting::Refused => "The house refused this box",
        Parting::Revoked => "The house has taken this box off its list",
        Parting::Unpaired => "This box was unpaired",
    }
}

/// Draws a card of the screen's size.
pub fn draw(card: &card::Card, size: Size) -> Result<Frame, PictureError> {
    let picture = card::draw(card, size)?;
    let (size, bytes) = (picture.size, picture.rgba.len());
    Frame::from_rgba(size, picture.rgba).ok_or(PictureError::Inconsistent { size, bytes })
}

fn idle(settings: &Settings, snapshot: &Snapshot, house: &HouseView<'_>) -> IdleCard {
    let (waits_for, mut detail) = match (&snapshot.playlist, house.fetching) {
        (None, Some(media)) => {
            let next = media.complete + 1;
            let waits_for = format!("Fetching {next} of {}", media.total);
            let detail = "Playing begins as soon as the first is here.".to_owned();
            (waits_for, vec![detail])
        }
        (Some(playlist), _) => {
            let name = match playlist.name.is_empty() {
                true => playlist.id.to_string(),
                false => playlist.name.clone(),
            };
            (
                "Waits for the word to play".to_owned(),
                vec![format!("The playlist “{name}” is ready.")],
            )
        }
        (None, None) => (
            "Waits for a playlist".to_owned(),
            without_playlist(house.standing),
        ),
    };
    detail.extend(house.standing.problem.clone());
    if let Phase::Parted(why) = house.standing.phase
        && let Some(url) = &house.standing.url
    {
        let url = url.short();
        detail.push(format!(
            "{} ({url}). Pair again: museboxctl pair",
            parted(why)
        ));
    }
    IdleCard {
        name: settings.name.clone(),
        address: address().map(|address| address.to_string()),
        waits_for,
        detail,
    }
}

/// What somebody could do about a box that has nothing to play.
fn without_playlist(standing: &Standing) -> Vec<String> {
    match (&standing.phase, &*standing.found, &standing.url) {
        (Phase::Linked { .. }, _, Some(url)) => {
            vec![format!("Pick one on the house's page, {}.", url.short())]
        }
        (Phase::Pairing { .. }, _, Some(url)) => {
            vec![format!("Asking the house at {} for a code.", url.short())]
        }
        (Phase::Choosing { offers, .. }, _, _) => {
            let asking = |offer: &Offer| {
                let (name, url) = (&offer.name, offer.url.short());
                let problem = offer.problem.as_ref();
                let problem = problem.map(|problem| format!(" It gives none: {problem}"));
                let problem = problem.unwrap_or_default();
                format!("Asking the house {name} ({url}) for a code.{problem}")
            };
            offers.iter().map(asking).collect()
        }
        (_, [], _) => vec!["Name one with the key “playlist” in musebox.toml.".to_owned()],
        (_, found, _) => {
            let offer = |house: &crate::net::Found| {
                let (name, url) = (&house.name, house.url.short());
                format!("A house is here: {name}. Pair with it: museboxctl pair {url}")
            };
            found.iter().map(offer).collect()
        }
    }
}

fn failed(snapshot: &Snapshot) -> Vec<FailedItem> {
    let title = |item: &str| {
        let items = snapshot
            .playlist
            .iter()
            .flat_map(|playlist| &playlist.montages);
        let items = items
            .flat_map(|montage| &montage.tracks)
            .flat_map(|track| &track.items);
        items
            .filter(|found| found.id.as_str() == item)
            .find_map(|found| found.title.clone())
    };
    let entry = |error: &crate::domain::player::ErrorEntry| FailedItem {
        title: title(error.item.as_str()).unwrap_or_else(|| error.item.to_string()),
        reason: error.message.clone(),
    };
    snapshot.errors.iter().map(entry).collect()
}

/// The box's first address that others can reach.
fn address() -> Option<IpAddr> {
    let interfaces = nix::ifaddrs::getifaddrs().ok()?;
    let addresses = interfaces.filter_map(|interface| {
        let address = interface.address?;
        let v4 = address
            .as_sockaddr_in()
            .map(|address| IpAddr::V4(address.ip()));
        v4.or_else(|| {
            address
                .as_sockaddr_in6()
                .map(|address| IpAddr::V6(address.ip()))
        })
    });
    let local = |address: &IpAddr| match address {
        IpAddr::V4(address) => address.is_loopback() || address.is_link_local(),
        IpAddr::V6(address) => address.is_loopback() || (address.segments()[0] & 0xffc0) == 0xfe80,
    };
    addresses
        .filter(|address| !local(address))
        .min_by_key(IpAddr::is_ipv6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{
            config::{Defaults, HouseUrl, Input},
            ids::{HouseId, HouseScreenId},
            player::Player,
        },
        net::{Found, Invitation, Line, Wish},
    };

    fn settings() -> Settings {
        Input::default().settings(Defaults {
            name: "Foyer".to_owned(),
            socket: "/run/control.sock".into(),
            state_dir: "/var/lib/musebox".into(),
        })
    }

    fn url(text: &str) -> HouseUrl {
        text.parse().expect("an address")
    }

    fn invitation(code: &str, check: &str) -> Option<Invitation> {
        Some(Invitation {
            code: code.to_owned(),
            check: check.to_owned(),
        })
    }

    fn offer(name: &str, code: Option<&str>, problem: Option<&str>) -> Offer {
        Offer {
            name: name.to_owned(),
            url: url(&format!("{}.example:8443", name.to_lowercase())),
            invitation: code.and_then(|code| invitation(code, "123 456")),
            problem: problem.map(str::to_owned),
        }
    }

    fn standing(phase: Phase) -> Standing {
        Standing {
            url: Some(url("gallery.example:8443")),
            phase,
            ..Standing::default()
        }
    }

    /// The card of a box that has nothing to play.
    fn drawn(standing: &Standing) -> card::Card {
        let settings = settings();
        let player = Player::new(settings.screen_names(), None);
        let view = HouseView {
            standing,
            fetching: None,
        };
        card(Card::Idle, &settings, &player.snapshot(), &view)
    }

    /// What the idle card waits for, and its lines.
    fn words(standing: &Standing) -> (String, Vec<String>) {
        match drawn(standing) {
            card::Card::Idle(card) => {
                assert_eq!(card.name, "Foyer");
                (card.waits_for, card.detail)
            }
            other => panic!("{other:?} is no idle card"),
        }
    }

    #[test]
    fn the_card_with_the_code_says_where_to_type_it_and_what_to_compare() {
        for wish in [Wish::Person, Wish::Nobody] {
            let phase = Phase::Pairing {
                invitation: invitation("BCDF-GHJK", "123 456"),
                wish,
            };
            let expected = card::Card::Pairing(PairingCard {
                name: "Foyer".to_owned(),
                house: "gallery.example:8443".to_owned(),
                code: "BCDF-GHJK".to_owned(),
                check: "123 456".to_owned(),
                link: "https://gallery.example:8443/pair?code=BCDF-GHJK".to_owned(),
            });
            assert_eq!(drawn(&standing(phase)), expected);
        }
    }

    #[test]
    fn before_there_is_a_code_the_card_says_who_is_asked() {
        let phase = Phase::Pairing {
            invitation: None,
            wish: Wish::Nobody,
        };
        let mut standing = standing(phase);
        let asked = "Asking the house at gallery.example:8443 for a code.";
        assert_eq!(
            words(&standing),
            ("Waits for a playlist".to_owned(), vec![asked.to_owned()])
        );
        standing.problem = Some("it cannot be reached".to_owned());
        assert_eq!(words(&standing).1, [asked, "it cannot be reached"]);
    }

    #[test]
    fn of_several_houses_each_has_its_code_beside_its_name() {
        let offers = vec![
            offer("Gallery", Some("BCDF-GHJK"), None),
            offer("Museum", None, Some("it cannot be reached")),
            offer("Hotel", None, None),
        ];
        let phase = Phase::Choosing {
            offers,
            wish: Wish::Nobody,
        };
        let card::Card::Choosing(card) = drawn(&standing(phase)) else {
            panic!("no card with codes");
        };
        assert_eq!(card.name, "Foyer");
        let rows = card
            .houses
            .iter()
            .map(|row| [&row.house, &row.address, &row.code, &row.note].map(String::as_str));
        let expected = [
            [
                "Gallery",
                "gallery.example:8443",
                "BCDF-GHJK",
                "Number 123 456",
            ],
            [
                "Museum",
                "museum.example:8443",
                "",
                "No code yet: it cannot be reached",
            ],
            ["Hotel", "hotel.example:8443", "", "Asked for a code"],
        ];
        assert_eq!(rows.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn before_any_of_several_houses_has_answered_the_card_names_them() {
        let offers = vec![
            offer("Gallery", None, None),
            offer("Museum", None, Some("it cannot be reached")),
        ];
        let phase = Phase::Choosing {
            offers,
            wish: Wish::Nobody,
        };
        let (_, lines) = words(&standing(phase));
        assert_eq!(
            lines,
            [
                "Asking the house Gallery (gallery.example:8443) for a code.",
                "Asking the house Museum (museum.example:8443) for a code. It gives none: it cannot be reached",
            ]
        );
    }

    #[test]
    fn a_box_alone_offers_what_it_finds() {
        let mut standing = Standing::default();
        let (_, lines) = words(&standing);
        assert_eq!(lines, ["Name one with the key “playlist” in musebox.toml."]);
        standing.found = ["gallery", "museum"]
            .map(|name| Found::at(url(name)))
            .into();
        let (_, lines) = words(&standing);
        assert_eq!(
            lines,
            [
                "A house is here: gallery. Pair with it: museboxctl pair gallery",
                "A house is here: museum. Pair with it: museboxctl pair museum",
            ]
        );
    }

    #[test]
    fn a_box_that_was_sent_away_says_by_whom_and_what_to_do() {
        for (why, says) in [
            (Parting::Refused, "The house refused this box"),
            (
                Parting::Revoked,
                "The house has taken this box off its list",
            ),
            (Parting::Unpaired, "This box was unpaired"),
        ] {
            let (_, lines) = words(&standing(Phase::Parted(why)));
            let last = lines.last().expect("a line");
            let expected = format!("{says} (gallery.example:8443). Pair again: museboxctl pair");
            assert_eq!(*last, expected);
        }
    }

    #[test]
    fn a_box_that_cannot_reach_its_house_says_why() {
        let mut standing = standing(Phase::Linked {
            house: HouseId::new("h1"),
            screen: HouseScreenId::new("s1"),
            line: Line::Down,
        });
        let pick = "Pick one on the house's page, gallery.example:8443.";
        assert_eq!(words(&standing).1, [pick]);
        standing.problem = Some("it is not the house that this box was paired with".to_owned());
        let expected = [pick, "it is not the house that this box was paired with"];
        assert_eq!(words(&standing).1, expected);
    }
}

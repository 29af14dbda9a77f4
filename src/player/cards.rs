//! What the box says about itself on the screen.

use std::net::IpAddr;

use crate::{
    domain::{
        config::Settings, ids::ScreenName, player::Snapshot, protocol::MediaStatus,
        sequencer::Card, units::Size,
    },
    net::{Parting, Phase, Standing},
    os::frame::Frame,
    picture::{
        PictureError,
        card::{self, FailedItem, IdleCard, PairingCard},
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

/// The card with the code, while there is one.
pub fn pairing(standing: &Standing, settings: &Settings) -> Option<card::Card> {
    let url = standing.url.as_ref()?;
    let Phase::Pairing {
        invitation: Some(invitation),
        ..
    } = &standing.phase
    else {
        return None;
    };
    Some(card::Card::Pairing(PairingCard {
        name: settings.name.clone(),
        house: url.short().to_owned(),
        code: invitation.code.clone(),
        check: invitation.check.clone(),
        link: url.join(&format!("/pair?code={}", invitation.code)),
    }))
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

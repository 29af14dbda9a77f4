//! What the box says about itself on the screen.

use std::net::IpAddr;

use crate::{
    domain::{config::Settings, player::Snapshot, sequencer::Card, units::Size},
    os::frame::Frame,
    picture::{
        PictureError,
        card::{self, FailedItem, IdleCard},
    },
};

/// Draws a card of the screen's size.
pub fn draw(
    card: Card,
    settings: &Settings,
    snapshot: &Snapshot,
    size: Size,
) -> Result<Frame, PictureError> {
    let card = match card {
        Card::Idle => card::Card::Idle(idle(settings, snapshot)),
        Card::AllFailed => card::Card::AllFailed(failed(snapshot)),
    };
    let picture = card::draw(&card, size)?;
    let (size, bytes) = (picture.size, picture.rgba.len());
    Frame::from_rgba(size, picture.rgba).ok_or(PictureError::Inconsistent { size, bytes })
}

fn idle(settings: &Settings, snapshot: &Snapshot) -> IdleCard {
    let (waits_for, detail) = match &snapshot.playlist {
        Some(playlist) => {
            let name = match playlist.name.is_empty() {
                true => playlist.id.to_string(),
                false => playlist.name.clone(),
            };
            (
                "Waits for the word to play".to_owned(),
                vec![format!("The playlist “{name}” is ready.")],
            )
        }
        None => {
            let advice = "Name one with the key “playlist” in musebox.toml.".to_owned();
            ("Waits for a playlist".to_owned(), vec![advice])
        }
    };
    IdleCard {
        name: settings.name.clone(),
        address: address().map(|address| address.to_string()),
        waits_for,
        detail,
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

//! Obeying the house: its environment laid over the box's own settings, its commands, what it is told in return.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

use crate::{
    domain::{
        config::Settings,
        house::{Environment, Orders},
        ids::{CommandId, HouseId, PlaylistId, ScreenIndex, ScreenName},
        playlist::Playlist,
        protocol::{
            EventKind, HouseOffer, HouseStatus, MediaStatus, PictureFormat, PictureSource, Power,
            State,
            sync::{BoxCounters, BoxError, BoxMedia, BoxState, HouseCommand, OutputState},
        },
        sequencer::{Card, FailureKind},
    },
    net::{Ask, Kept, Line, News, Phase, Shelf, Standing, Wanted, Way, format_of},
    picture,
    player::{
        app::{App, plays::Showing, volume},
        cards::{self, HouseView},
        pictures,
        presenter::Order,
    },
};

/// How often the house is told how the box is where nothing but counters has changed.
const TELL_EVERY: Duration = Duration::from_secs(10);
/// How long the card stands by which a box is found.
const IDENTIFY: Duration = Duration::from_secs(10);
/// How wide the pictures are that the house gets, in pixels.
const PICTURE_WIDTH: u32 = 640;
/// The orders hold so long at least.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// A clock that goes back by more than this was set.
const CLOCK_SLACK: Duration = Duration::from_secs(60);

/// What the box would do without a house.
#[derive(Clone, Debug, PartialEq)]
pub struct Local {
    /// The settings of its files.
    pub settings: Settings,
    /// The playlist that they name.
    pub playlist: Option<Arc<Playlist>>,
}

/// A card over what plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Overlay {
    None,
    /// The code, since somebody wants to pair the box now.
    Pairing,
    /// The name, by which somebody finds the box.
    Identify(Instant),
}

/// What the app knows of the house.
pub struct House {
    /// The way to it; nothing in lockstep.
    pub way: Option<Way>,
    /// What the box would do without it.
    pub local: Local,
    /// Something has changed since it was last told how the box is.
    pub is_changed: bool,
    /// What every screen shows of the house's playlists.
    pub showings: HashMap<ScreenIndex, Showing>,
    kept: Option<Arc<Kept>>,
    standing: Standing,
    /// Whether the displays are on, as it last ordered.
    ordered: Option<Power>,
    /// The house's playlist that plays.
    playing: Option<PlaylistId>,
    /// Media of the playlist that is to be played: those that are there, and all.
    playlist_media: MediaStatus,
    /// Media of all playlists.
    media: MediaStatus,
    wanted: Vec<Wanted>,
    /// When the orders were looked at, and until when they hold.
    asked: Timestamp,
    until: Option<Timestamp>,
    zone: Option<(String, TimeZone)>,
    told: Option<(BoxState, Instant)>,
    overlay: Overlay,
}

impl House {
    /// Nothing but what was kept is known yet.
    pub fn new(way: Option<(Way, Option<Arc<Kept>>)>, local: Local) -> Self {
        let (way, kept) = way.unzip();
        Self {
            way,
            local,
            is_changed: true,
            showings: HashMap::new(),
            kept: kept.flatten(),
            standing: Standing::default(),
            ordered: None,
            playing: None,
            playlist_media: MediaStatus::default(),
            media: MediaStatus::default(),
            wanted: Vec::new(),
            asked: Timestamp::UNIX_EPOCH,
            until: None,
            zone: None,
            told: None,
            overlay: Overlay::None,
        }
    }

    /// What cards say of it.
    pub fn view(&self) -> HouseView<'_> {
        let waits = self.playlist_media.complete < self.playlist_media.total;
        HouseView {
            standing: &self.standing,
            fetching: Some(self.playlist_media).filter(|_| waits),
        }
    }

    /// The house's playlist that plays, and whose it is: a box plays on when it no longer belongs to the house.
    pub fn playing(&self) -> Option<(&HouseId, &PlaylistId)> {
        let house = &self.kept.as_ref()?.environment.house.id;
        Some((house, self.playing.as_ref()?))
    }

    /// How it stands, for reports.
    pub fn status(&self) -> Option<HouseStatus> {
        let Standing {
            url,
            phase,
            problem,
            found: _,
        } = &self.standing;
        let mut status = HouseStatus {
            url: url.clone()?,
            linked: false,
            online: false,
            house: None,
            screen: None,
            rev: self.kept.as_ref().map(|kept| kept.held.rev),
            code: None,
            check: None,
            offers: Vec::new(),
            problem: problem.clone(),
            media: self.media,
        };
        match phase {
            Phase::Alone => {}
            Phase::Pairing { invitation, .. } => {
                if let Some(invitation) = invitation {
                    status.code = Some(invitation.code.clone());
                    status.check = Some(invitation.check.clone());
                }
            }
            Phase::Choosing { offers, .. } => {
                let offers = offers.iter().cloned().map(|offer| {
                    let (code, check) = offer
                        .invitation
                        .map(|invitation| (invitation.code, invitation.check))
                        .unzip();
                    HouseOffer {
                        name: offer.name,
                        url: offer.url,
                        code,
                        check,
                        problem: offer.problem,
                    }
                });
                status.offers = offers.collect();
            }
            Phase::Linked {
                house,
                screen,
                line,
            } => {
                status.linked = true;
                status.online = *line == Line::Up;
                (status.house, status.screen) = (Some(house.clone()), Some(screen.clone()));
            }
            Phase::Parted(why) => status.problem = Some(cards::parted(*why).to_owned()),
        }
        Some(status)
    }

    /// The local time at the house.
    fn local_time(&mut self, name: &str, now: Timestamp) -> DateTime {
        let zone = match &self.zone {
            Some((known, zone)) if known == name => zone.clone(),
            Some(_) | None => {
                let zone = TimeZone::get(name).unwrap_or_else(|err| {
                    log::warn!(err = err.to_string().as_str(); "the house's time zone is not known here: its schedules are taken as UTC");
                    TimeZone::UTC
                });
                self.zone = Some((name.to_owned(), zone.clone()));
                zone
            }
        };
        zone.to_datetime(now)
    }

    /// What the house orders at a time.
    fn orders(&mut self, now: Timestamp) -> Option<Orders> {
        (self.asked, self.until) = (now, None);
        let kept = self.kept.clone()?;
        let environment = &kept.environment;
        let when = self.local_time(&environment.house.time_zone, now);
        let orders = environment.orders(&kept.screen, Some(when))?;
        if let (Some(until), Some((_, zone))) = (orders.until, &self.zone) {
            // A time that a change of clocks skips is taken as the one after; one that comes twice as the first, and
            // then as soon as possible.
            let soon = now + LOOK_AGAIN;
            self.until = zone.to_timestamp(until).ok().map(|until| until.max(soon));
        }
        Some(orders)
    }

    /// Whether the orders may be others by this time.
    fn is_due(&self, now: Timestamp) -> bool {
        let back = self.asked.duration_since(now);
        let was_set = back > CLOCK_SLACK.try_into().unwrap_or(jiff::SignedDuration::MAX);
        // A clock that is set for the first time goes forward by decades, and past every end.
        let year = |time: Timestamp| TimeZone::UTC.to_datetime(time).year();
        let unknown = year(self.asked) < 2026 && year(now) >= 2026;
        self.kept.is_some() && (was_set || unknown || self.until.is_some_and(|until| now >= until))
    }

    /// What is to be played, and how many of its media are there.
    fn choose(&mut self, orders: &Orders) -> Option<Arc<Playlist>> {
        let environment = self.kept.as_ref()?.environment.clone();
        let shelf = self.way.as_ref()?.shelf().clone();
        let first = orders.playlist.as_ref();
        self.playlist_media = first
            .map(|id| progress(&shelf, &media_of(&environment, id)))
            .unwrap_or_default();
        let src = |id: &PlaylistId| environment.playlist(id, |_, item| shelf.src(format_of(item)?));
        let mut chosen = first.into_iter().chain(&orders.fallbacks).find_map(src);
        if chosen.is_none() && first.is_some() && self.local.playlist.is_none() {
            // Rather what played until now than a dark screen.
            chosen = self.playing.as_ref().and_then(src);
        }
        self.playing = chosen.as_ref().map(|playlist| playlist.id.clone());
        chosen.map(Arc::new)
    }

    /// Tells the way which media to have.
    fn want(&mut self, orders: Option<&Orders>) {
        let (Some(kept), Some(way)) = (&self.kept, &self.way) else {
            return;
        };
        let environment = &kept.environment;
        let urgent = orders.map(|orders| orders.playlist.iter().chain(&orders.fallbacks));
        let urgent = urgent.into_iter().flatten();
        let scheduled = environment.playlists.iter();
        let scheduled = scheduled.filter(|(_, playlist)| playlist.schedule.is_some());
        let scheduled = scheduled.map(|(id, _)| id);
        let mut wanted: Vec<Wanted> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        // What is on the screens, first of all: what is there already delays nothing, and makes room for nothing.
        for medium in self.playing.iter().flat_map(|id| media_of(environment, id)) {
            if way.shelf().path(&medium.format).is_some() {
                seen.insert((medium.format.sha256.clone(), medium.format.src.clone()));
                wanted.push(medium);
            }
        }
        for id in urgent.chain(scheduled).chain(environment.playlists.keys()) {
            for medium in media_of(environment, id) {
                if seen.insert((medium.format.sha256.clone(), medium.format.src.clone())) {
                    wanted.push(medium);
                }
            }
        }
        self.media = progress(way.shelf(), &wanted);
        if wanted != self.wanted {
            self.wanted.clone_from(&wanted);
            way.ask(Ask::Wanted(wanted));
        }
    }
}

/// The media of a playlist, in the order in which they are shown.
fn media_of(environment: &Environment, id: &PlaylistId) -> Vec<Wanted> {
    let montages = environment.playlists.get(id).into_iter();
    let tracks = montages
        .flat_map(|playlist| &playlist.montages)
        .flat_map(|montage| &montage.tracks);
    let mut media: Vec<Wanted> = Vec::new();
    for id in tracks.flat_map(|track| &track.items) {
        let item = environment.items.get(id);
        if let Some(format) = item.and_then(format_of)
            && media.iter().all(|medium| medium.item != *id)
        {
            media.push(Wanted {
                item: id.clone(),
                format: format.clone(),
            });
        }
    }
    media
}

fn progress(shelf: &Shelf, media: &[Wanted]) -> MediaStatus {
    let there = media
        .iter()
        .filter(|medium| shelf.src(&medium.format).is_some());
    MediaStatus {
        complete: there.count() as u64,
        total: media.len() as u64,
    }
}

impl App {
    /// The way to the house has news.
    pub(super) fn house_news(&mut self, news: News) {
        self.house.is_changed = true;
        match news {
            News::Standing(standing) => {
                self.house.standing = standing;
                let pairs = self.house.standing.phase.has_code_for_person();
                self.house.overlay = match (pairs, self.house.overlay) {
                    (true, _) => Overlay::Pairing,
                    (false, Overlay::Pairing | Overlay::None) => Overlay::None,
                    (false, identify @ Overlay::Identify(_)) => identify,
                };
                self.draw_idle_cards();
                self.lay_over_all();
            }
            News::Environment(kept) => {
                log::info!("the house's environment has revision {}", kept.held.rev);
                self.house.kept = Some(kept);
                // The house waits to hear that this revision is obeyed.
                self.house.told = None;
                self.steer();
            }
            News::Forgotten => {
                self.house.kept = None;
                self.house.wanted = Vec::new();
                self.steer();
            }
            News::Arrived => self.steer(),
            News::Command(id, command) => self.house_command(id, command),
        }
    }

    /// Makes the settings and the playlist what the house orders, and the box's own where it orders nothing.
    pub(super) fn steer(&mut self) {
        self.steer_at(Timestamp::now());
    }

    fn steer_at(&mut self, now: Timestamp) {
        let orders = self.house.orders(now);
        let local = &self.house.local;
        let mut settings = local.settings.clone();
        let mut playlist = None;
        match &orders {
            Some(orders) => {
                settings.name.clone_from(&orders.name);
                settings.autostart_playlist = orders.autostart_playlist;
                settings.auto_advance = orders.auto_advance;
                (settings.volume, settings.mute) = (orders.volume, orders.mute);
                settings.fit = orders.fit;
                playlist = self.house.choose(orders);
            }
            None => {
                self.house.playlist_media = MediaStatus::default();
                self.house.playing = None;
            }
        }
        self.house.want(orders.as_ref());
        let playlist = playlist.or_else(|| self.house.local.playlist.clone());
        self.obey(settings, playlist);
        // What somebody at the box has switched stays until the house says something else than before.
        let display = orders.map(|orders| orders.display);
        let before = std::mem::replace(&mut self.house.ordered, display);
        let wanted = display.unwrap_or(Power::On);
        if before.unwrap_or(Power::On) != wanted && self.power != wanted {
            self.switch(wanted);
        }
        self.house.is_changed = true;
    }

    fn obey(&mut self, settings: Settings, playlist: Option<Arc<Playlist>>) {
        let same_settings = settings == self.parts.settings;
        let same_playlist = playlist == self.parts.playlist;
        let before = std::mem::replace(&mut self.parts.settings, settings);
        self.parts.playlist = playlist;
        let settings = &self.parts.settings;
        if (before.fit, before.background) != (settings.fit, settings.background) {
            self.order(Order::Layout {
                fit: settings.fit,
                background: settings.background.rgb(),
            });
        }
        if volume(&before) != volume(settings) {
            self.order(Order::Volume(volume(settings)));
        }
        if !same_settings {
            let settings = (&self.parts.settings).into();
            self.tell(EventKind::Settings { settings });
        }
        if !(same_settings && same_playlist) {
            self.environment();
        }
        self.draw_idle_cards();
    }

    /// What time brings about: called after every event, and once a second.
    pub(super) fn look_at_house(&mut self) {
        if self.house.way.is_none() {
            return;
        }
        let now = Timestamp::now();
        if self.house.is_due(now) {
            self.steer_at(now);
        }
        if let Overlay::Identify(until) = self.house.overlay
            && Instant::now() >= until
        {
            self.house.overlay = Overlay::None;
            self.lay_over_all();
        }
        let overdue = |told: &(BoxState, Instant)| told.1.elapsed() >= TELL_EVERY;
        if self.house.is_changed || self.house.told.as_ref().is_none_or(overdue) {
            self.tell_house();
        }
    }

    /// Tells the house how the box is, where that is news.
    fn tell_house(&mut self) {
        self.house.is_changed = false;
        let state = self.box_state();
        let bare = |state: &BoxState| BoxState {
            uptime_ms: None,
            counters: None,
            ..state.clone()
        };
        let same = |told: &(BoxState, Instant)| {
            told.1.elapsed() < TELL_EVERY && bare(&told.0) == bare(&state)
        };
        if self.house.told.as_ref().is_some_and(same) {
            return;
        }
        if let Some(way) = &self.house.way {
            way.ask(Ask::State(Box::new(state.clone())));
        }
        self.house.told = Some((state, Instant::now()));
    }

    /// Something cannot be played: the disk may have damaged it.
    pub(super) fn doubt(&self, src: &str, why: FailureKind) {
        match why {
            FailureKind::Network => {}
            // A file that is there and cannot be read is missing, too.
            FailureKind::Missing
            | FailureKind::Corrupt
            | FailureKind::Unsupported
            | FailureKind::Hash
            | FailureKind::Stalled => {
                if let Some(way) = &self.house.way {
                    way.ask(Ask::Doubted(PathBuf::from(src)));
                }
            }
        }
    }

    fn box_state(&self) -> BoxState {
        let status = self.status();
        let outputs = status.screens.iter().map(|screen| OutputState {
            name: screen.name.clone(),
            position: screen.position,
            item: screen.item.as_ref().map(|item| item.id.clone()),
        });
        let errors = status.errors.iter().map(|error| BoxError {
            item: Some(error.item.clone()),
            kind: error.kind,
            message: error.message.clone(),
            count: error.count,
        });
        let media = self.house.media;
        BoxState {
            state: status.state,
            playlist: status.playlist.map(|playlist| playlist.id),
            position: status.position,
            item: status.item.as_ref().map(|item| item.id.clone()),
            title: status.item.as_ref().and_then(|item| item.title.clone()),
            outputs: outputs.collect(),
            power: Some(status.display.power),
            version: Some(status.version),
            uptime_ms: Some(status.uptime_ms),
            // The way knows them better.
            rev: None,
            epoch: None,
            counters: Some(BoxCounters {
                presented: status.display.presented,
                late: status.display.late,
                dropped: status.display.dropped,
                missed_vblanks: status.display.missed_vblanks,
                items_shown: status.items_shown,
            }),
            errors: errors.collect(),
            media: Some(BoxMedia {
                complete: media.complete,
                total: media.total,
            }),
        }
    }

    /// Whether the displays are off since the house says so.
    pub(super) fn stands_by(&self) -> bool {
        self.power == Power::Off
            && self.house.ordered == Some(Power::Off)
            && self.state != State::Failed
    }

    fn house_command(&mut self, id: CommandId, command: HouseCommand) {
        if let Some(command) = command.local() {
            let error = self.command(command).err();
            return self.done(id, error);
        }
        match command {
            HouseCommand::Screenshot { output } => self.picture_for_house(id, output),
            HouseCommand::Identify => {
                self.house.overlay = Overlay::Identify(Instant::now() + IDENTIFY);
                self.lay_over_all();
                self.done(id, None);
            }
            HouseCommand::Play
            | HouseCommand::Pause
            | HouseCommand::Stop
            | HouseCommand::Next
            | HouseCommand::Previous
            | HouseCommand::Goto { .. }
            | HouseCommand::Replay
            | HouseCommand::Display { .. }
            | HouseCommand::Unknown => {
                self.done(id, Some("this box does not know that command".to_owned()));
            }
        }
    }

    /// Sends the house a picture of an output; of the first, where none is named.
    fn picture_for_house(&self, command: CommandId, output: Option<ScreenName>) {
        let Some(asker) = self.house.way.as_ref().map(Way::asker) else {
            return;
        };
        let screen = match self.screen_of(output.as_ref()) {
            Ok(screen) => screen,
            Err(why) => return self.done(command, Some(why)),
        };
        let wanted = pictures::Wanted {
            screen,
            size: self.parts.modes[screen].size,
            format: PictureFormat::Jpeg,
            max_width: Some(PICTURE_WIDTH),
            source: PictureSource::Best,
        };
        self.screenshot(wanted, move |jpeg| {
            asker.ask(Ask::Picture {
                command,
                output,
                jpeg,
            });
        });
    }

    fn done(&self, id: CommandId, error: Option<String>) {
        if let Some(way) = &self.house.way {
            way.ask(Ask::Done(id, error));
        }
    }

    /// Draws the cards of waiting screens anew: what they say may have changed.
    fn draw_idle_cards(&mut self) {
        let snapshot = self.parts.player.snapshot();
        let card = cards::card(
            Card::Idle,
            &self.parts.settings,
            &snapshot,
            &self.house.view(),
        );
        if self.idle.as_ref() == Some(&card) {
            return;
        }
        self.idle = Some(card);
        for screen in (0..self.parts.modes.len()).map(ScreenIndex) {
            if self.parts.player.card(screen) == Some(Card::Idle) {
                self.card(screen, Card::Idle);
            }
        }
    }

    fn lay_over_all(&self) {
        for screen in (0..self.parts.modes.len()).map(ScreenIndex) {
            self.lay_over(screen);
        }
    }

    /// Lays the card that is due over a screen, or takes it away.
    pub(super) fn lay_over(&self, screen: ScreenIndex) {
        let card = match self.house.overlay {
            Overlay::None => None,
            Overlay::Pairing => cards::pairing(&self.house.standing, &self.parts.settings),
            Overlay::Identify(_) => {
                let name = &self.parts.settings.screens[screen.0].name;
                Some(cards::identify(&self.parts.settings, name))
            }
        };
        let frame = card.and_then(|card: picture::card::Card| self.drawn(screen, &card));
        self.order(Order::Overlay(screen, frame));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::{
        config::{Defaults, Input},
        ids::{Epoch, HouseScreenId, Revision},
        session::Held,
    };

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    /// A box that was off, and has nothing but what it kept of its house.
    fn woken(document: Value) -> House {
        let settings = Input::default().settings(Defaults {
            name: "Foyer".to_owned(),
            socket: "/run/control.sock".into(),
            state_dir: "/var/lib/musebox".into(),
        });
        let held = Held {
            epoch: Epoch::new("e1"),
            rev: Revision(1),
            document: Arc::new(document),
        };
        let kept = Kept::read(held, HouseScreenId::new("s1")).expect("an environment");
        let local = Local {
            settings,
            playlist: None,
        };
        House {
            kept: Some(Arc::new(kept)),
            ..House::new(None, local)
        }
    }

    /// A house in Paris with a playlist for the mornings, one that is selected and one by default.
    fn document() -> Value {
        let playlist = |name: &str| {
            let tracks = json!([{"id": "t1", "items": ["i1"]}]);
            json!({"name": name, "montages": [{"id": "m1", "tracks": tracks}]})
        };
        let days = json!(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]);
        let mut morning = playlist("Mornings");
        morning["schedule"] = json!({"windows": [{"days": days, "from": "09:00", "to": "12:00"}]});
        json!({
            "house": {
                "id": "h1", "name": "Gallery", "time_zone": "Europe/Paris",
                "playlist": "selected", "default_playlist": "default",
                "display_hours": [{"days": days, "from": "08:00", "to": "20:00"}],
            },
            "screens": {"s1": {"name": "Foyer"}},
            "playlists": {
                "morning": morning, "selected": playlist("All day"), "default": playlist("Always"),
            },
            "items": {"i1": {"kind": "image"}},
        })
    }

    /// Which playlist a box plays that looks at its orders now, and whether its displays are on.
    fn ordered(house: &mut House, now: &str) -> (String, Power) {
        let orders = house.orders(at(now)).expect("the screen");
        (orders.playlist.expect("one").to_string(), orders.display)
    }

    fn is(playlist: &str, display: Power) -> (String, Power) {
        (playlist.to_owned(), display)
    }

    #[test]
    fn a_schedule_that_began_while_the_box_was_off_is_joined_in_the_middle() {
        // In November, Paris is an hour before UTC.
        let mut house = woken(document());
        let now = ordered(&mut house, "2026-11-26T09:30:00Z");
        assert_eq!(now, is("morning", Power::On));
        assert!(!house.is_due(at("2026-11-26T10:59:59Z")));
        assert!(house.is_due(at("2026-11-26T11:00:00Z")), "12:00 in Paris");
        let now = ordered(&mut house, "2026-11-26T11:00:00Z");
        assert_eq!(now, is("selected", Power::On));
    }

    #[test]
    fn outside_of_the_hours_the_displays_are_off_until_they_begin() {
        let mut house = woken(document());
        let now = ordered(&mut house, "2026-11-26T19:00:00Z");
        assert_eq!(now, is("selected", Power::Off));
        assert!(!house.is_due(at("2026-11-27T06:59:59Z")));
        assert!(house.is_due(at("2026-11-27T07:00:00Z")), "08:00 in Paris");
        let now = ordered(&mut house, "2026-11-27T07:00:00Z");
        assert_eq!(now, is("selected", Power::On));
    }

    #[test]
    fn a_clock_that_is_not_set_plays_the_default_playlist_until_it_is() {
        let mut house = woken(document());
        let now = ordered(&mut house, "1970-01-01T03:00:00Z");
        assert_eq!(now, is("default", Power::On));
        assert!(!house.is_due(at("1970-01-01T09:00:00Z")));
        assert!(!house.is_due(at("2025-12-31T23:00:00Z")));
        assert!(house.is_due(at("2026-11-26T09:30:00Z")), "it was set");
        let now = ordered(&mut house, "2026-11-26T09:30:00Z");
        assert_eq!(now, is("morning", Power::On));
    }

    #[test]
    fn a_clock_that_goes_back_is_looked_at_again_and_one_that_is_corrected_is_not() {
        let mut house = woken(document());
        ordered(&mut house, "2026-11-26T09:30:00Z");
        assert!(!house.is_due(at("2026-11-26T09:29:30Z")));
        assert!(house.is_due(at("2026-11-26T07:30:00Z")));
        let now = ordered(&mut house, "2026-11-26T07:30:00Z");
        assert_eq!(now, is("selected", Power::On));
        assert!(house.is_due(at("2026-11-26T08:00:00Z")), "09:00 in Paris");
    }

    #[test]
    fn a_time_that_clocks_skip_or_have_twice_holds_up_nothing() {
        let mut document = document();
        let days = json!(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]);
        document["playlists"]["morning"]["schedule"] =
            json!({"windows": [{"days": days, "from": "02:15", "to": "02:45"}]});
        document["house"]["display_hours"] = json!([]);
        let mut house = woken(document);
        // On 2026-03-29 the clocks of Paris go from 02:00 to 03:00, on 2026-10-25 from 03:00 to 02:00.
        for begin in ["2026-03-29T00:00:00Z", "2026-10-24T23:00:00Z"] {
            let mut now = at(begin);
            let end = now + Duration::from_secs(4 * 3600);
            while now < end {
                if house.is_due(now) {
                    house.orders(now).expect("the screen");
                    assert!(!house.is_due(now), "it does not turn in circles at {now}");
                }
                now += Duration::from_secs(60);
            }
        }
    }

    #[test]
    fn without_a_house_nothing_is_due() {
        let mut house = woken(document());
        house.kept = None;
        assert_eq!(house.orders(at("2026-11-26T09:30:00Z")), None);
        assert!(!house.is_due(at("2126-11-26T09:30:00Z")));
    }
}

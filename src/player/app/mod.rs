//! The owner loop: one thread that owns the player's rules, its slots and its settings.
//!
//! Everything that happens comes in as an [`Event`]; everything to do goes out as orders to the presenter, as
//! openings and closings of slots, and as answers.

mod house;
mod plays;

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender},
    },
    time::{Duration, Instant},
};

use tokio::sync::broadcast;

use crate::{
    control_server::Request,
    domain::{
        config::Settings,
        ids::{LoadId, ScreenIndex, ScreenName, SlotId},
        pacing::News,
        player::Player,
        playlist::Playlist,
        protocol::{
            DisplayDriver, Event as Told, EventKind, ItemStatus, MemoryKind, Power, State, Status,
            WireCommand,
        },
        sequencer::{Card, Failure, FailureKind, Input, Output, Report, SlotEvent},
        units::Mode,
    },
    gst::SlotNews,
    kms::atomic::Importer,
    net::{Ask, Kept, News as HouseNews, Way},
    os::{
        doorbell::Doorbell,
        frame::{Frame, Way as FrameWay},
        supervisor::Supervisor,
    },
    picture,
    player::{
        app::house::{House, Local},
        cards,
        changes::Changes,
        doctor::{self, Patient},
        gauges::Gauges,
        loader::{Loaded, Loader, largest},
        pictures,
        presenter::{Notice, Order},
        status,
        tv::Remote,
    },
};

/// What whoever wants to pair is told where nothing can be paired.
const NO_WAY: &str = "this player has no way to a house: it runs in lockstep";

/// How often files that failed are looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Something that happened.
pub enum Event {
    /// Somebody asks through the control socket.
    Control(Request),
    /// A slot has news.
    Slot(ScreenIndex, SlotId, LoadId, SlotNews),
    /// The presenter has news.
    Presenter(Notice),
    /// The way to the house has news.
    House(Box<HouseNews>),
    /// A signal: end.
    Terminate,
    /// A signal: read the configuration again.
    Reload,
    /// A signal: somebody wants to see another text console.
    ConsoleLeaves,
    /// A signal: our text console is in front again.
    ConsoleReturns,
}

/// How the player came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// As planned, or by a signal.
    Clean,
    /// Something failed for good.
    Broken(String),
}

/// Reads the settings and the playlist anew.
pub type Reread = Box<dyn Fn() -> anyhow::Result<(Settings, Option<Arc<Playlist>>)>>;

/// A display controller in use.
pub struct KmsCard {
    /// Its device node.
    pub path: String,
    /// What makes its framebuffers.
    pub importer: Arc<Importer>,
}

/// What an app is made of.
pub struct Parts {
    /// The rules.
    pub player: Player,
    /// The settings in force.
    pub settings: Settings,
    /// What to play.
    pub playlist: Option<Arc<Playlist>>,
    /// Reads both again.
    pub reread: Reread,
    /// Opens items.
    pub loader: Loader,
    /// Where events go.
    pub events: Sender<Event>,
    /// The way to the presenter.
    pub orders: SyncSender<Order>,
    /// Wakes the presenter.
    pub bell: Doorbell,
    /// What the presenter shows of itself.
    pub gauges: Arc<Gauges>,
    /// Which display is used.
    pub driver: DisplayDriver,
    /// The card, where the kernel's display is used.
    pub card: Option<KmsCard>,
    /// The screens' modes.
    pub modes: Vec<Mode>,
    /// Which of them are there.
    pub connected: Vec<bool>,
    /// Where sound goes, if anywhere.
    pub sound: Option<Arc<dyn status::SoundGauge>>,
    /// The way to the television, if it is to be switched.
    pub tv: Option<Remote>,
    /// Who has started us.
    pub supervisor: Supervisor,
    /// The way to the house, with the environment that was kept.
    pub house: Option<(Way, Option<Arc<Kept>>)>,
}

/// An opening.
struct Held {
    screen: ScreenIndex,
    slot: SlotId,
    loaded: Loaded,
    decoder: Option<String>,
}

/// The owner of the player's state.
pub struct App {
    parts: Parts,
    held: HashMap<LoadId, Held>,
    watchers: broadcast::Sender<Told>,
    changes: Changes,
    begun: Instant,
    state: State,
    power: Power,
    ending: Option<Ending>,
    house: House,
    /// The idle card as it was last drawn.
    idle: Option<picture::card::Card>,
}

impl App {
    /// An app that has not begun.
    pub fn new(mut parts: Parts) -> Self {
        let local = Local {
            settings: parts.settings.clone(),
            playlist: parts.playlist.clone(),
        };
        Self {
            house: House::new(parts.house.take(), local),
            idle: None,
            parts,
            held: HashMap::new(),
            watchers: broadcast::channel(256).0,
            changes: Changes::default(),
            begun: Instant::now(),
            state: State::Idle,
            power: Power::On,
            ending: None,
        }
    }

    /// Runs until the end.
    pub fn run(&mut self, events: &Receiver<Event>) -> Ending {
        self.steer();
        self.environment();
        loop {
            if let Some(ending) = self.ending.take() {
                self.all_showings_end();
                return ending;
            }
            match events.recv_timeout(LOOK_AGAIN) {
                Ok(event) => self.handle(event),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Ending::Broken("all threads have ended".to_owned());
                }
            }
            for src in self.changes.changed() {
                self.input(Input::MediaChanged { src });
            }
            self.look_at_house();
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Control(request) => self.answer(request),
            Event::Slot(screen, slot, load, news) => self.slot_news(screen, slot, load, news),
            Event::Presenter(notice) => self.notice(notice),
            Event::House(news) => self.house_news(*news),
            Event::Terminate => {
                self.parts.supervisor.stopping();
                self.ending = Some(Ending::Clean);
            }
            Event::Reload => self.reload(),
            Event::ConsoleLeaves => self.order(Order::ConsoleLeaves),
            Event::ConsoleReturns => self.order(Order::ConsoleReturns),
        }
    }

    /// Tells the rules what is to be played.
    fn environment(&mut self) {
        let settings = &self.parts.settings;
        let (autostart_playlist, auto_advance) =
            (settings.autostart_playlist, settings.auto_advance);
        let playlist = self.parts.playlist.clone();
        self.input(Input::Environment {
            playlist,
            autostart_playlist,
            auto_advance,
        });
    }

    fn input(&mut self, input: Input) {
        self.parts.player.handle(self.parts.gauges.now(), input);
        while let Some(output) = self.parts.player.poll() {
            self.carry_out(output);
        }
        for screen in 0..self.parts.modes.len() {
            let screen = ScreenIndex(screen);
            self.order(Order::Expect(screen, self.parts.player.expecting(screen)));
        }
        let state = status::state(self.parts.player.snapshot().state);
        if state != self.state {
            self.state = state;
            if state == State::Playing && self.power == Power::On {
                self.switch_tv(Power::On);
            }
            if state != State::Playing {
                self.parts.supervisor.status(state.word());
            }
            self.tell(EventKind::State { state });
        }
    }

    fn order(&self, order: Order) {
        // Without a presenter there is nothing to order; its own notice has told so.
        let _ = self.parts.orders.send(order);
        self.parts.bell.ring();
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Load {
                screen,
                slot,
                load,
                item,
                ..
            } => {
                let events = self.parts.events.clone();
                let report = move |news| drop(events.send(Event::Slot(screen, slot, load, news)));
                match self.parts.loader.open(screen, load, &item, report) {
                    Ok(loaded) => drop(self.held.insert(
                        load,
                        Held {
                            screen,
                            slot,
                            loaded,
                            decoder: None,
                        },
                    )),
                    Err(err) => {
                        let failure = Failure {
                            kind: FailureKind::Unsupported,
                            message: err.to_string(),
                        };
                        let news = SlotNews::Failed(failure);
                        let _ = self
                            .parts
                            .events
                            .send(Event::Slot(screen, slot, load, news));
                    }
                }
            }
            Output::Show {
                screen,
                load,
                cue,
                length,
                ..
            } => self.order(Order::Show {
                screen,
                load,
                cue,
                length,
            }),
            Output::Replay {
                screen,
                cue,
                length,
                ..
            } => self.order(Order::Replay {
                screen,
                cue,
                length,
            }),
            Output::Hold { screen } => self.order(Order::Hold(screen)),
            Output::Uncue { screen } => self.order(Order::Uncue(screen)),
            Output::Unload { screen, load, .. } => {
                self.order(Order::Detach { screen, load });
                self.held.remove(&load);
            }
            Output::Card { screen, card } => {
                self.showing_ends(screen, self.parts.gauges.now());
                self.card(screen, card);
            }
            Output::Pause => self.order(Order::Pause),
            Output::Resume => self.order(Order::Resume),
            Output::Finish { at } => self.order(Order::Finish(at)),
            Output::WakeAt(at) => self.order(Order::WakeAt(at)),
            Output::Report(report) => self.report(report),
        }
    }

    fn card(&self, screen: ScreenIndex, card: Card) {
        let snapshot = self.parts.player.snapshot();
        let card = cards::card(card, &self.parts.settings, &snapshot, &self.house.view());
        if let Some(frame) = self.drawn(screen, &card) {
            self.order(Order::Card(screen, frame));
        }
    }

    /// A card as a frame of the screen's size.
    fn drawn(&self, screen: ScreenIndex, card: &picture::card::Card) -> Option<Arc<Frame>> {
        let mode = self.parts.modes.get(screen.0)?;
        match cards::draw(card, mode.size) {
            Ok(frame) => {
                if let Some(display) = &self.parts.loader.display {
                    // A card lies in plain rows, which every display takes.
                    let _ = display.prepare(screen.0, &frame);
                }
                Some(Arc::new(frame))
            }
            Err(err) => {
                log::error!(err = err.to_string().as_str(); "a card cannot be drawn");
                None
            }
        }
    }

    fn slot_news(&mut self, screen: ScreenIndex, slot: SlotId, load: LoadId, news: SlotNews) {
        let Some(held) = self.held.get_mut(&load) else {
            return;
        };
        let event = match news {
            SlotNews::Ready {
                media,
                replayable,
                traits,
                decoder,
            } => {
                held.decoder = Some(decoder);
                let feed = held.loaded.feed().clone();
                self.order(Order::Attach {
                    screen,
                    slot,
                    load,
                    feed,
                    traits,
                });
                SlotEvent::Ready { media, replayable }
            }
            SlotNews::EndKnown(length) => {
                self.order(Order::EndKnown(screen, load, length));
                SlotEvent::EndKnown { length }
            }
            SlotNews::Worn => SlotEvent::Worn,
            SlotNews::Failed(failure) => {
                self.order(Order::Failed(screen, load));
                SlotEvent::Failed(failure)
            }
        };
        self.input(Input::Slot {
            screen,
            slot,
            load,
            event,
        });
    }

    fn notice(&mut self, notice: Notice) {
        match notice {
            Notice::News(screen, news) => {
                let (slot, load, event) = match news {
                    News::Shown { slot, load, start } => (slot, load, SlotEvent::Shown { start }),
                    News::Looped { slot, load, start } => (slot, load, SlotEvent::Looped { start }),
                    News::RanOut { slot, load } => (slot, load, SlotEvent::RanOut),
                };
                self.input(Input::Slot {
                    screen,
                    slot,
                    load,
                    event,
                });
            }
            Notice::Wake => self.input(Input::Timer),
            Notice::Stalled(screen, load) => self.stalled(screen, load),
            Notice::Connected(screen, mode) => self.connected(screen, mode),
            Notice::Refused(screen, why) => {
                let name = self.parts.settings.screens[screen.0].name.as_str();
                log::warn!(SCREEN = name, err = why.as_str(); "a picture was refused")
            }
            Notice::Finished => self.ending = Some(Ending::Clean),
            Notice::Broken(why) => self.ending = Some(Ending::Broken(why)),
        }
    }

    /// A screen went away, or came with a mode.
    fn connected(&mut self, screen: ScreenIndex, mode: Option<Mode>) {
        let name = self.parts.settings.screens[screen.0].name.clone();
        self.parts.connected[screen.0] = mode.is_some();
        let Some(mode) = mode else {
            log::info!(SCREEN = name.as_str(); "the screen is gone: playing into the void");
            return;
        };
        log::info!(SCREEN = name.as_str(); "the screen shows {mode}");
        if std::mem::replace(&mut self.parts.modes[screen.0], mode).size != mode.size {
            self.parts.loader.screen = largest(&self.parts.modes);
            if let Some(card) = self.parts.player.card(screen) {
                self.card(screen, card);
            }
            self.lay_over(screen);
        }
    }

    /// Whatever the screen waits for has taken too long: those openings have failed.
    fn stalled(&mut self, screen: ScreenIndex, load: Option<LoadId>) {
        let late: Vec<(LoadId, SlotId)> = self
            .held
            .iter()
            .filter(|(id, held)| match load {
                Some(load) => **id == load,
                None => held.screen == screen && held.decoder.is_none(),
            })
            .map(|(load, held)| (*load, held.slot))
            .collect();
        for (load, slot) in late {
            let message = "no frame came in time".to_owned();
            let news = SlotNews::Failed(Failure {
                kind: FailureKind::Stalled,
                message,
            });
            self.slot_news(screen, slot, load, news);
        }
    }

    fn report(&mut self, report: Report) {
        let name = |app: &Self, screen: ScreenIndex| {
            let screen = &app.parts.settings.screens[screen.0];
            screen.name.clone()
        };
        match report {
            Report::Began {
                screen,
                slot,
                position,
                item,
                replay,
                at,
                ..
            } => {
                self.changes.forget(&item.src);
                self.showing_begins(screen, &item, at);
                let screen = name(self, screen);
                let title = item.title.as_deref().unwrap_or(item.id.as_str());
                log::info!(
                    ITEM = item.id.as_str(), SLOT = slot.to_string().as_str(),
                    POSITION = position.to_string().as_str(), SCREEN = screen.as_str(), replay; "{title}"
                );
                self.parts.supervisor.status(&format!("{position} {title}"));
                let (item, title) = (item.id.clone(), item.title.clone());
                self.tell(EventKind::ItemBegan {
                    screen,
                    position,
                    item,
                    title,
                    replay,
                });
            }
            Report::Reopened { screen, position } => {
                let screen = name(self, screen);
                self.tell(EventKind::ItemReopened { screen, position });
            }
            Report::TrackEnded { screen, position } => {
                let screen = name(self, screen);
                log::debug!(POSITION = position.to_string().as_str(), SCREEN = screen.as_str(); "no more items in current track");
                self.tell(EventKind::TrackEnded { screen, position });
            }
            Report::RoundEnded { rounds } => self.tell(EventKind::RoundEnded { rounds }),
            Report::Failed {
                screen,
                position,
                item,
                failure,
            } => {
                self.changes.watch(&item.src);
                self.doubt(&item.src, failure.kind);
                let screen = name(self, screen);
                log::warn!(
                    ITEM = item.id.as_str(), POSITION = position.to_string().as_str(), SCREEN = screen.as_str(),
                    err = failure.message.as_str(); "an item cannot be played"
                );
                let (item, src) = (item.id.clone(), item.src.clone());
                let (kind, message) = (failure.kind.into(), failure.message);
                self.tell(EventKind::ItemFailed {
                    screen,
                    position,
                    item,
                    src,
                    kind,
                    message,
                });
            }
            Report::TrackWithoutScreen { position } => {
                log::warn!(POSITION = position.to_string().as_str(); "this track is for no screen of this box");
            }
        }
    }

    fn tell(&mut self, kind: EventKind) {
        self.house.is_changed = true;
        let at_ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        // Nobody may be listening.
        let _ = self.watchers.send(Told { at_ms, kind });
    }

    fn answer(&mut self, request: Request) {
        // Whoever asked may be gone: then nobody misses the answer.
        match request {
            Request::Status(reply) => drop(reply.send(self.status())),
            Request::Command(command, reply) => drop(reply.send(self.command(command))),
            Request::Pair(url, reply) => match &self.house.way {
                Some(way) => way.ask(Ask::Pair(url, reply)),
                None => drop(reply.send(Err(NO_WAY.to_owned()))),
            },
            Request::Unpair(reply) => match &self.house.way {
                Some(way) => way.ask(Ask::Unpair(reply)),
                None => drop(reply.send(Err(NO_WAY.to_owned()))),
            },
            Request::Screenshot {
                format,
                max_width,
                screen,
                source,
                reply,
            } => {
                let screen = match self.screen_of(screen.as_ref()) {
                    Ok(screen) => screen,
                    Err(why) => return drop(reply.send(Err(why))),
                };
                let wanted = pictures::Wanted {
                    screen,
                    size: self.parts.modes[screen].size,
                    format,
                    max_width,
                    source,
                };
                self.screenshot(wanted, |picture| drop(reply.send(picture)));
            }
            Request::Watch(reply) => drop(reply.send(self.watchers.subscribe())),
            Request::Doctor(reply) => {
                let patient = Patient {
                    settings: self.parts.settings.clone(),
                    status: self.status(),
                    playlist: self.parts.playlist.clone(),
                    decoders: self.parts.loader.decoders.clone(),
                };
                doctor::answer(patient, reply);
            }
        }
    }

    /// The number of the screen of this name, or of the first where none is named; else what there is.
    fn screen_of(&self, name: Option<&ScreenName>) -> Result<usize, String> {
        let names = self.parts.settings.screen_names();
        let found = match name {
            Some(name) => names.iter().position(|known| known == name),
            None => Some(0),
        };
        found.ok_or_else(|| {
            let names: Vec<&str> = names.iter().map(ScreenName::as_str).collect();
            format!("there is no such screen, only: {}", names.join(", "))
        })
    }

    /// Carries out a command, or says why it cannot be.
    fn command(&mut self, command: WireCommand) -> Result<(), String> {
        if let WireCommand::Display { power } = command {
            self.switch(power);
        }
        let Some(command) = command.playing() else {
            return Ok(());
        };
        let allowed = self.parts.player.check(&command);
        allowed.map_err(|err| err.to_string())?;
        self.input(Input::Command(command));
        Ok(())
    }

    /// Switches the screens and the television.
    fn switch(&mut self, power: Power) {
        self.power = power;
        self.house.is_changed = true;
        self.showings_switched(power);
        self.order(Order::Power(power));
        self.switch_tv(power);
        log::info!("the screens are switched {}", power.word());
    }

    /// Takes a picture of what is on a screen, and hands it to `reply` on a thread of its own.
    fn screenshot(
        &self,
        wanted: pictures::Wanted,
        reply: impl FnOnce(Result<Vec<u8>, String>) + Send + 'static,
    ) {
        let (sender, receiver) = std::sync::mpsc::channel();
        self.order(Order::Screenshot(ScreenIndex(wanted.screen), sender));
        let card = self.parts.card.as_ref();
        let kernel = card.filter(|_| self.is_lit(wanted.screen));
        let kernel = kernel.map(|card| card.importer.clone());
        pictures::answer(receiver, kernel, wanted, reply);
    }

    fn reload(&mut self) {
        match (self.parts.reread)() {
            Ok((settings, playlist)) => {
                let fixed = |settings: &Settings| {
                    let settings = settings.clone();
                    (
                        settings.display,
                        settings.screens,
                        settings.decoder,
                        settings.audio,
                        settings.control,
                        (settings.state_dir, settings.house),
                    )
                };
                if fixed(&settings) != fixed(&self.house.local.settings) {
                    log::warn!(
                        "some changed keys take effect only after a restart: display, screen, decoder, audio, control, house, state"
                    );
                }
                self.house.local = Local {
                    settings: Settings {
                        display: self.parts.settings.display.clone(),
                        screens: self.parts.settings.screens.clone(),
                        ..settings
                    },
                    playlist,
                };
                log::info!("the configuration was read again");
                log::set_max_level(self.house.local.settings.log_level.filter());
                self.steer();
            }
            Err(err) => {
                log::error!(err = format!("{err:#}").as_str(); "the new configuration is refused; the old one stays")
            }
        }
    }

    fn switch_tv(&self, power: Power) {
        if let Some(tv) = &self.parts.tv {
            tv.want(power);
        }
    }

    /// Whether a screen gets a picture.
    fn is_lit(&self, screen: usize) -> bool {
        self.parts.connected[screen] && self.power == Power::On
    }

    /// The report of the moment.
    pub fn status(&self) -> Status {
        let modes = self.parts.modes.iter().zip(&self.parts.connected);
        let modes: Vec<Option<Mode>> = modes
            .map(|(mode, connected)| connected.then_some(*mode))
            .collect();
        let mut status = Status::new(
            env!("CARGO_PKG_VERSION"),
            &self.parts.settings,
            self.parts.driver,
            &modes,
        );
        status.display.power = self.power;
        status.display.tv = self.parts.tv.as_ref().and_then(Remote::status);
        if let Some(card) = &self.parts.card {
            status.display.card = Some(card.path.clone());
            status.display.copies = status::copies(&card.importer.copies);
        }
        status.uptime_ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let decoder = |screen: usize, slot: SlotId| {
            let held = self
                .held
                .values()
                .find(|held| held.screen.0 == screen && held.slot == slot)?;
            let decoder = held.decoder.clone()?;
            let memory = match held.loaded.feed().way() {
                FrameWay::Lent => MemoryKind::Dmabuf,
                FrameWay::Copied => MemoryKind::System,
            };
            Some((decoder, memory))
        };
        status::fill(&mut status, &self.parts.player.snapshot(), decoder);
        if self.stands_by() {
            status.state = State::Standby;
        }
        status::gauge(&mut status, &self.parts.gauges, self.parts.sound.as_deref());
        status.house = self.house.status();
        status
    }
}

/// The loudness that the settings ask for.
pub fn volume(settings: &Settings) -> f32 {
    match settings.mute {
        true => 0.0,
        false => settings.volume.get() as f32,
    }
}

/// Where the report goes.
pub fn write_report(path: &PathBuf, status: &Status) -> anyhow::Result<()> {
    use anyhow::Context;
    let mut text = serde_json::to_string_pretty(status)?;
    text.push('\n');
    std::fs::write(path, text).with_context(|| format!("writing the report {}", path.display()))
}

/// What is said of an item in reports.
pub fn item_status(
    item: &crate::domain::playlist::Item,
    length: Option<crate::domain::units::MediaTime>,
) -> ItemStatus {
    ItemStatus::new(item, length)
}

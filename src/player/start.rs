//! Start and end: from the arguments to running threads, and back to an exit status.

use std::{
    fs::File,
    io::{self, Write},
    path::Path,
    process::ExitCode,
    sync::{
        Arc,
        mpsc::{Sender, channel, sync_channel},
    },
};

use anyhow::{Context, anyhow, bail};
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    control,
    control_server::{Host, HttpServer, Refused, UnixServer},
    domain::{
        config::{Defaults, DisplayKind, FrameLimit, Hardware, Input, ScreenSettings, Settings},
        pacing::Patience,
        player::Player,
        playlist::Playlist,
        protocol::DisplayDriver,
        units::{MediaTime, Mode},
    },
    gst::{self, DecoderOptions},
    kms::{
        Display,
        atomic::{self, KmsAtomic, OpenError, Wish},
        virtual_display::{self, VirtualDisplay},
    },
    net::{Discovery, Identity, Kept, Options, Search, Way},
    os::{
        clock,
        config_files::{self, MainFile},
        console::{self, Console, Keyboard},
        doorbell::Doorbell,
        frame::Prepare,
        memory,
        supervisor::Supervisor,
    },
    player::{
        app::{self, App, Ending, Event, KmsCard, Parts},
        args::{Args, Pace},
        gauges::Gauges,
        head::Waste,
        loader::{Loader, largest},
        mixer::{self, Listener, Mixer, Overflow},
        presenter::{self, Presenter, Surroundings},
        sound,
        status::SoundGauge,
        tv::Remote,
        wav::WavCapture,
    },
};

/// Why the player did not run to its end: what to tell, and the exit status.
struct Failed {
    error: anyhow::Error,
    status: u8,
}

/// A fault in what somebody wrote: arguments, configuration or playlist.
const BAD_INPUT: u8 = 2;

/// A fault while running.
const BROKEN: u8 = 1;

/// Room in the queues from and to the presenter. They are bounded since only such queues allocate nothing; they are
/// emptied at once, or whoever empties them is stuck.
const ORDERS: usize = 256;
const NOTICES: usize = 256;
const GARBAGE: usize = 256;

/// How long a card is waited for where one is asked for, and how often it is looked for.
const CARD_PATIENCE: MediaTime = MediaTime::from_seconds(20);
const CARD_LOOK: MediaTime = MediaTime::from_millis(100);

/// Runs the daemon; answers its exit status.
pub fn main() -> ExitCode {
    let args = Args::of_process();
    memory::limit_pools();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            // The message is for whoever started us, in full, on one line.
            let _ = writeln!(io::stderr(), "museboxd: {:#}", failed.error);
            ExitCode::from(failed.status)
        }
    }
}

fn run(args: &Args) -> Result<(), Failed> {
    let bad = |error| Failed {
        error,
        status: BAD_INPUT,
    };
    let broken = |error| Failed {
        error,
        status: BROKEN,
    };
    let (settings, playlist) = read(args).map_err(bad)?;
    crate::logging::init(settings.log_level.filter());
    let bell = Doorbell::new()
        .context("making an eventfd")
        .map_err(broken)?;
    // Before GStreamer, which may open the card as well: the first to open it becomes its master.
    let display = open_display(args, &settings).map_err(broken)?;
    gst::init().map_err(|err| broken(anyhow!(err)))?;
    for name in gst::prefer(&settings.decoder.prefer, &settings.decoder.avoid) {
        log::warn!(decoder = name.as_str(); "GStreamer has no element of this name");
    }
    play(args, settings, playlist, display, bell).map_err(broken)
}

/// Reads the configuration and the playlist that it names.
fn read(args: &Args) -> anyhow::Result<(Settings, Option<Arc<Playlist>>)> {
    let (path, presence) = match &args.config {
        Some(path) => (path.as_path(), MainFile::Required),
        None => (Path::new(config_files::DEFAULT_PATH), MainFile::Optional),
    };
    let input = Input::read(&config_files::read(path, presence)?)?;
    let name = nix::unistd::gethostname()
        .ok()
        .and_then(|name| name.into_string().ok());
    let defaults = Defaults {
        name: name.unwrap_or_else(|| "musebox".to_owned()),
        socket: control::default_socket(),
        state_dir: control::default_state_dir(),
    };
    let settings = args.over(input.settings(defaults));
    let playlist = settings
        .playlist
        .as_deref()
        .map(read_playlist)
        .transpose()?;
    Ok((settings, playlist))
}

fn read_playlist(path: &Path) -> anyhow::Result<Arc<Playlist>> {
    let shown = path.display();
    let text =
        std::fs::read_to_string(path).with_context(|| format!("reading the playlist {shown}"))?;
    let playlist = Playlist::from_json(&text).map_err(|err| anyhow!("{shown}: {err}"))?;
    let path =
        std::path::absolute(path).with_context(|| format!("finding the folder of {shown}"))?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    Ok(Arc::new(playlist.resolve(&folder.to_string_lossy())))
}

/// The display that is asked for; where the choice is open, the kernel's if it can be had.
fn open_display(args: &Args, settings: &Settings) -> anyhow::Result<Display> {
    let kind = settings.display.kind;
    if kind != DisplayKind::Virtual {
        let wish = |screen: &ScreenSettings| Wish {
            connector: screen.connector.clone(),
            mode: screen.mode.or(settings.display.mode),
        };
        let options = atomic::Options {
            card: settings.display.card.clone(),
            heads: settings.screens.iter().map(wish).collect(),
        };
        let opened = match kind {
            DisplayKind::Kms => open_in_time(&options),
            DisplayKind::Auto | DisplayKind::Virtual => KmsAtomic::open(&options),
        };
        match opened {
            Ok(display) => return Ok(Display::Kms(display)),
            Err(err) if kind == DisplayKind::Kms => return Err(err.into()),
            Err(err) => log::info!("playing on the virtual display, since {err}"),
        }
    }
    let modes = vec![settings.display.mode_or_default(); settings.screens.len()];
    Ok(Display::Virtual(virtual_display(args, modes)?))
}

/// Opens the kernel's display once there is a card: early after power-on its driver may not be loaded yet.
fn open_in_time(options: &atomic::Options) -> Result<KmsAtomic, OpenError> {
    let until = clock::monotonic() + CARD_PATIENCE;
    loop {
        match KmsAtomic::open(options) {
            Err(OpenError::NoCard) if clock::monotonic() < until => {
                std::thread::sleep(CARD_LOOK.duration());
            }
            opened => return opened,
        }
    }
}

fn virtual_display(args: &Args, modes: Vec<Mode>) -> anyhow::Result<VirtualDisplay> {
    let pace = match args.pace {
        Pace::Real => virtual_display::Pace::Real,
        Pace::Lockstep => virtual_display::Pace::Lockstep,
    };
    let display = VirtualDisplay::new(modes, pace);
    let Some(path) = &args.capture else {
        return Ok(display);
    };
    let output: Box<dyn Write + Send> = match path.as_os_str() == "-" {
        true => Box::new(io::stdout()),
        false => Box::new(
            File::create(path).with_context(|| format!("making the capture {}", path.display()))?,
        ),
    };
    display.with_capture(output).context("starting the capture")
}

/// Where the sound goes, and who knows about it.
struct Sound {
    listener: Option<Listener>,
    gauge: Option<Arc<dyn SoundGauge>>,
    capture: Option<WavCapture>,
}

fn open_sound(args: &Args, settings: &Settings) -> anyhow::Result<Sound> {
    if let Some(path) = &args.capture_audio {
        let (listener, sound) = mixer::way(MediaTime::ZERO, Overflow::Wait);
        let capture = WavCapture::start(path, sound)?;
        return Ok(Sound {
            listener: Some(listener),
            gauge: None,
            capture: Some(capture),
        });
    }
    if !settings.audio.enabled || args.pace == Pace::Lockstep {
        return Ok(Sound {
            listener: None,
            gauge: None,
            capture: None,
        });
    }
    let (listener, state) =
        sound::start(settings.audio.clone()).context("starting the sound output")?;
    Ok(Sound {
        listener: Some(listener),
        gauge: Some(state),
        capture: None,
    })
}

fn play(
    args: &Args,
    settings: Settings,
    playlist: Option<Arc<Playlist>>,
    display: Display,
    bell: Doorbell,
) -> anyhow::Result<()> {
    let modes = display.modes().to_vec();
    let connected = (0..modes.len()).map(|head| display.is_connected(head));
    let connected = connected.collect();
    let supervisor = Supervisor::of_process();
    let (driver, card) = match &display {
        Display::Kms(display) => {
            let card = KmsCard {
                path: display.path().display().to_string(),
                importer: display.importer(),
            };
            (DisplayDriver::Kms, Some(card))
        }
        Display::Virtual(_) => (DisplayDriver::Virtual, None),
    };
    let tv = match driver {
        DisplayDriver::Kms => Remote::start(&settings.display.cec, &settings.name)
            .context("starting the thread for the television")?,
        DisplayDriver::Virtual => None,
    };
    let prepare = card
        .as_ref()
        .map(|card| card.importer.clone() as Arc<dyn Prepare>);
    let (events, incoming) = channel();
    let control = Control::start(&settings, args.socket.is_some(), events.clone())?;
    let sound = open_sound(args, &settings)?;
    let gauges = Arc::new(Gauges::default());
    // Only now that its signals are taken.
    let keyboard = match supervisor.is_there() {
        true => Keyboard::Nobody,
        false => Keyboard::Person,
    };
    let console = card.as_ref().and_then(|_| Console::of_process(keyboard));
    let to_supervisor = supervisor.share();
    let (orders, ordered) = sync_channel(ORDERS);
    let (garbage, reaped) = sync_channel(GARBAGE);
    std::thread::Builder::new()
        .name("reaper".into())
        .spawn(move || reaped.into_iter().for_each(drop))?;
    let (noticed, notices) = sync_channel(NOTICES);
    std::thread::Builder::new().name("notices".into()).spawn({
        let events = events.clone();
        let forward = move |notice| events.send(Event::Presenter(notice));
        // It ends with the presenter, or with the app.
        move || drop(notices.into_iter().try_for_each(forward))
    })?;

    let presenter = Presenter::new(
        display,
        bell.clone(),
        ordered,
        noticed,
        Waste::new(garbage),
        gauges.clone(),
        presenter::Settings {
            patience: match args.pace {
                Pace::Real => Patience::GoOn,
                Pace::Lockstep => Patience::Wait,
            },
            duration: args.duration,
            fit: settings.fit,
            background: settings.background.rgb(),
            on_exit: settings.display.on_exit,
        },
        Mixer::new(sound.listener, app::volume(&settings)),
        Surroundings {
            supervisor,
            console,
        },
    );
    let presenting = std::thread::Builder::new()
        .name("presenter".into())
        .spawn(move || presenter.run())?;

    let decoders = DecoderOptions {
        software_only: settings.decoder.hardware == Hardware::Never,
        frame_limit: match settings.decoder.frame_limit {
            FrameLimit::None => None,
            FrameLimit::Frames(limit) => Some(limit),
        },
        layouts: card
            .as_ref()
            .map(|card| card.importer.layouts())
            .unwrap_or_default(),
    };
    let house = open_house(args, &settings, playlist.as_deref(), &events);
    let again = args.clone();
    let mut app = App::new(Parts {
        player: Player::new(
            settings.screen_names(),
            args.rounds.map(std::num::NonZeroU64::get),
        ),
        settings,
        playlist,
        reread: Box::new(move || read(&again)),
        loader: Loader {
            bell: bell.clone(),
            decoders,
            screen: largest(&modes),
            display: prepare,
        },
        events,
        orders: orders.clone(),
        bell: bell.clone(),
        gauges,
        driver,
        card,
        modes,
        connected,
        sound: sound.gauge,
        tv,
        supervisor: to_supervisor,
        house,
    });
    let ending = app.run(&incoming);
    let status = app.status();

    let _ = orders.send(presenter::Order::Quit);
    bell.ring();
    let (mut display, mixer) = presenting
        .join()
        .map_err(|_| anyhow!("the presenter has died"))?;
    drop(mixer);
    let captured = display.finish_capture();
    let heard = sound.capture.map_or(Ok(()), WavCapture::finish);
    drop(app);
    control.stop();
    if let Some(path) = &args.report {
        app::write_report(path, &status)?;
    }
    captured?;
    heard?;
    match ending {
        Ending::Clean => Ok(()),
        Ending::Broken(why) => bail!(why),
    }
}

/// The way to the house. Without one the box plays what it has.
fn open_house(
    args: &Args,
    settings: &Settings,
    playlist: Option<&Playlist>,
    events: &Sender<Event>,
) -> Option<(Way, Option<Arc<Kept>>)> {
    match args.pace {
        Pace::Real => {}
        // Where display time stands still, nobody waits for a network.
        Pace::Lockstep => return None,
    }
    let options = Options {
        state_dir: settings.state_dir.clone(),
        url: settings.house.url.clone(),
        identity: Identity {
            name: settings.name.clone(),
            outputs: settings.screen_names(),
        },
        discovery: match (settings.house.discover, playlist) {
            (false, _) => Discovery::Never,
            (true, Some(_)) => Discovery::WhenAsked,
            (true, None) => Discovery::PairsByItself,
        },
        search: Search::Network,
    };
    let events = events.clone();
    match Way::start(options, move |news| {
        drop(events.send(Event::House(Box::new(news))))
    }) {
        Ok(way) => Some(way),
        Err(err) => {
            log::error!(err = err.to_string().as_str(); "no way to the house");
            None
        }
    }
}

/// The thread that serves the control socket and takes signals.
struct Control {
    stop: tokio::sync::watch::Sender<()>,
    thread: std::thread::JoinHandle<()>,
}

impl Control {
    fn start(settings: &Settings, required: bool, events: Sender<Event>) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (stop, stopped) = tokio::sync::watch::channel(());
        let (socket, http) = (settings.control.socket.clone(), settings.control.http);
        let host = Host::new({
            let events = events.clone();
            move |request| {
                events
                    .send(Event::Control(request))
                    .map_err(|_| Refused::Gone)
            }
        });
        let unix = match runtime.block_on(UnixServer::bind(&socket)) {
            Ok(server) => Some(server),
            Err(err) if required => return Err(err.into()),
            Err(err) => {
                log::warn!(err = err.to_string().as_str(); "no control socket");
                None
            }
        };
        let http = http
            .map(|address| runtime.block_on(HttpServer::bind(address)))
            .transpose();
        let http = http.context("serving the live page")?;
        if let Some(http) = &http {
            log::info!("live picture at http://{}/", http.address());
        }
        let signals = runtime
            .block_on(async { Signals::new() })
            .context("taking signals")?;
        let thread = std::thread::Builder::new()
            .name("control".into())
            .spawn(move || {
                runtime.block_on(async move {
                    let ended = || {
                        let mut stopped = stopped.clone();
                        // Nobody ever sends: this ends when the other half is dropped.
                        async move { while stopped.changed().await.is_ok() {} }
                    };
                    let unix = async {
                        if let Some(unix) = unix {
                            unix.serve(host.clone(), ended()).await
                        } else {
                            Ok(())
                        }
                    };
                    let http = async {
                        if let Some(http) = http {
                            http.serve(host.clone(), ended()).await
                        } else {
                            Ok(())
                        }
                    };
                    let forward = async {
                        tokio::select! {
                            () = signals.forward(&events) => {}
                            () = ended() => {}
                        }
                    };
                    let (unix, http, ()) = tokio::join!(unix, http, forward);
                    for err in [unix, http].into_iter().filter_map(Result::err) {
                        log::warn!(err = err.to_string().as_str(); "the control socket failed");
                    }
                });
            })?;
        Ok(Self { stop, thread })
    }

    fn stop(self) {
        drop(self.stop);
        if self.thread.join().is_err() {
            log::error!("the control thread has died");
        }
    }
}

struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
    leave: tokio::signal::unix::Signal,
    come_back: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            leave: signal(SignalKind::from_raw(console::LEAVE))?,
            come_back: signal(SignalKind::from_raw(console::RETURN))?,
        })
    }

    async fn forward(mut self, events: &Sender<Event>) {
        loop {
            let event = tokio::select! {
                _ = self.terminate.recv() => Event::Terminate,
                _ = self.interrupt.recv() => Event::Terminate,
                _ = self.hang_up.recv() => Event::Reload,
                _ = self.leave.recv() => Event::ConsoleLeaves,
                _ = self.come_back.recv() => Event::ConsoleReturns,
            };
            if events.send(event).is_err() {
                return;
            }
        }
    }
}

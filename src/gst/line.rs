//! The time line of the generic path: from what a demultiplexer says to the medium's own time.
//!
//! It begins with the first frame that comes out of the decoder, wherever the container puts that. A medium without an
//! end is kept whole: where its timestamps jump, the jump is closed up. A live source cannot be made to wait, so
//! frames that nobody takes are left out and the rest moves up.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use crate::{
    domain::units::MediaTime,
    gst::pipeline::{self, TimeLine},
    os::feed::Feed,
};

/// How long sound waits for the first frame, which tells where it belongs. Meanwhile its sink cannot change its state.
const FIRST_FRAME: Duration = Duration::from_secs(5);

/// In an endless medium, a longer silence between two frames is a jump of its clock.
const JUMP: MediaTime = MediaTime::from_seconds(2);

/// In an endless medium, sound that lies further from the picture belongs to the other side of a jump.
const APART: MediaTime = MediaTime::from_seconds(4);

/// How long a live source is made to wait for the screen.
const PATIENCE: Duration = Duration::from_millis(500);

/// How far a live source may fall behind itself while the screen takes its frames more slowly than they come.
const LAG: MediaTime = MediaTime::from_millis(500);

/// So many frames in a row that came when they were due already: the source's clock is slower than the screen's.
const BARELY: u32 = 50;

/// What a source is, as far as time goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Manner {
    /// It has no known end.
    endless: bool,
    /// It sends at its own pace.
    live: bool,
}

/// Where the frames and the sound of one opening belong.
pub struct Line {
    state: Mutex<State>,
    known: Condvar,
    cap: Option<MediaTime>,
    feed: Arc<Feed>,
    sink: Mutex<Option<gst::glib::WeakRef<gst_app::AppSink>>>,
}

#[derive(Default)]
struct State {
    /// Where the first segment starts.
    origin: Option<MediaTime>,
    manner: Option<Manner>,
    run: Option<Run>,
    /// Sound does not wait for a frame: there is no picture, or none came in time.
    alone: bool,
}

/// A stretch of frames whose times need no more than a shift.
#[derive(Clone, Copy)]
struct Run {
    /// The source's time of the medium's start.
    base: MediaTime,
    /// The last frame that was placed.
    last: MediaTime,
    /// The time between the last two.
    usual: MediaTime,
    /// When the promptest frame came, and its time.
    prompt: (Instant, MediaTime),
    /// How many frames in a row met an empty mailbox.
    barely: u32,
    /// Frames are being left out.
    skipping: bool,
}

impl Line {
    /// A line for a feed, of which no more than `cap` is shown.
    pub fn new(cap: Option<MediaTime>, feed: Arc<Feed>) -> Self {
        Self {
            state: Mutex::default(),
            known: Condvar::new(),
            cap,
            feed,
            sink: Mutex::default(),
        }
    }

    /// Tells where frames leave the pipeline, so that the source can be asked what it is.
    pub fn follow(&self, sink: &gst_app::AppSink) {
        let mut place = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        *place = Some(sink.downgrade());
    }

    /// No frame will ever come: sound need not wait for the first.
    pub fn no_picture(&self) {
        self.lock().alone = true;
        self.known.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the source what it is.
    fn ask(&self) -> Manner {
        let sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(pad) = sink
            .as_ref()
            .and_then(|sink| sink.upgrade())
            .and_then(|sink| sink.static_pad("sink"))
        else {
            return Manner::default();
        };
        let mut latency = gst::query::Latency::new();
        let live = pad.peer_query(&mut latency) && latency.result().0;
        let length = pad.peer_query_duration::<gst::ClockTime>();
        Manner {
            endless: live || length.is_none_or(|length| length.is_zero()),
            live,
        }
    }
}

impl Run {
    fn new(pts: MediaTime) -> Self {
        Self {
            base: pts,
            last: MediaTime::ZERO,
            usual: MediaTime::ZERO,
            prompt: (Instant::now(), pts),
            barely: 0,
            skipping: false,
        }
    }

    /// The time of a frame that follows the last one at once.
    fn following(&self) -> MediaTime {
        self.last + self.usual
    }

    /// Puts the frame right behind the last one, and all that comes with it.
    fn join(&mut self, pts: MediaTime) {
        self.base = pts - self.following();
    }

    /// How much later than the promptest a frame comes.
    fn lag(&mut self, pts: MediaTime) -> MediaTime {
        let (then, first) = self.prompt;
        let passed = i64::try_from(then.elapsed().as_nanos()).unwrap_or(i64::MAX);
        let lag = MediaTime::from_nanos(passed) - (pts - first);
        if lag < MediaTime::ZERO {
            self.prompt = (Instant::now(), pts);
        }
        lag.max(MediaTime::ZERO)
    }

    fn place(&mut self, pts: MediaTime) -> MediaTime {
        let local = pts - self.base;
        let step = local - self.last;
        if step > MediaTime::ZERO && step < JUMP {
            self.usual = step;
        }
        self.last = local;
        local
    }
}

impl TimeLine for Line {
    /// Timestamps, as long as no segment says that time before it counts too.
    ///
    /// `matroskademux` sends a first segment that starts with the first frame and a second that starts with zero; both
    /// leave the timestamps as they are in the file, and only those are steady.
    fn running(
        &self,
        segment: &gst::FormattedSegment<gst::ClockTime>,
        pts: gst::ClockTime,
    ) -> MediaTime {
        let start = segment.start().map_or(MediaTime::ZERO, pipeline::time);
        let base = segment.base().map_or(MediaTime::ZERO, pipeline::time);
        let mut state = self.lock();
        let origin = *state.origin.get_or_insert(start);
        drop(state);
        let pts = pipeline::time(pts);
        match base > MediaTime::ZERO {
            true => pts - start + base,
            false => pts - origin,
        }
    }

    fn place(&self, pts: MediaTime) -> Option<(u64, MediaTime)> {
        let mut state = self.lock();
        let manner = match state.manner {
            Some(manner) => manner,
            None => {
                // Only this thread asks, and sound need not wait for the answer.
                drop(state);
                let manner = self.ask();
                state = self.lock();
                *state.manner.get_or_insert(manner)
            }
        };
        let mut run = state.run.unwrap_or_else(|| Run::new(pts));
        drop(state);
        if manner.endless && self.keep_up(&mut run, pts, manner) == Keep::Skip {
            self.lock().run = Some(run);
            return None;
        }
        let local = run.place(pts);
        let mut state = self.lock();
        state.run = Some(run);
        drop(state);
        self.known.notify_all();
        (local >= MediaTime::ZERO && self.cap.is_none_or(|cap| local < cap)).then_some((0, local))
    }

    fn place_sound(&self, pts: MediaTime) -> Option<(u64, MediaTime)> {
        let waits = |state: &mut State| state.run.is_none() && !state.alone;
        let (mut state, _) = self
            .known
            .wait_timeout_while(self.lock(), FIRST_FRAME, waits)
            .unwrap_or_else(PoisonError::into_inner);
        state.alone = true;
        let (run, manner) = (state.run?, state.manner.unwrap_or_default());
        let local = pts - run.base;
        let near = local <= run.last + APART && run.last <= local + APART;
        (near || !manner.endless).then_some((0, local))
    }
}

/// Whether a frame is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keep {
    Show,
    Skip,
}

impl Line {
    /// Keeps a medium without an end in one piece, and a live one from piling up. Runs on the one thread that places
    /// frames, and may wait there a little.
    fn keep_up(&self, run: &mut Run, pts: MediaTime, manner: Manner) -> Keep {
        let local = pts - run.base;
        let (posted, waiting) = self.feed.frames.count();
        let begun = posted > waiting as u64;
        if manner.live && posted > 0 {
            let lag = run.lag(pts);
            let patience = match begun && !run.skipping && lag <= LAG {
                true => PATIENCE,
                false => Duration::ZERO,
            };
            if !self.feed.frames.wait_for_room(patience) {
                run.skipping = true;
                return Keep::Skip;
            }
        }
        if run.skipping || local < run.last || local > run.following() + JUMP {
            if !run.skipping {
                // The source's clock has jumped: what counts as prompt is measured anew.
                run.prompt = (Instant::now(), pts);
            }
            run.skipping = false;
            run.join(pts);
        }
        run.barely = match begun && waiting == 0 {
            true => run.barely + 1,
            false => 0,
        };
        if run.barely >= BARELY {
            // One frame stands twice, and from then on there is one in hand.
            run.barely = 0;
            run.base -= run.usual;
        }
        Keep::Show
    }
}

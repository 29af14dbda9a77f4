//! The report, filled from the player's snapshot and the presenter's gauges.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::{
    domain::{
        delays::Delays,
        ids::SlotId,
        player::{self, Snapshot},
        protocol::{
            CommitStatus, CopiesStatus, ErrorStatus, ItemStatus, MemoryKind, PlaylistStatus,
            SlotState, State, Status,
        },
        slots,
        units::MediaTime,
    },
    kms::atomic::Copies,
    player::gauges::Gauges,
};

/// What the sound output tells about itself.
pub trait SoundGauge: Send + Sync {
    /// What plays the sound, as people know it.
    fn device(&self) -> Option<String>;
    /// How much later than its picture the sound is heard, in milliseconds.
    fn offset_ms(&self) -> Option<f64>;
}

/// The state in the report's words.
pub fn state(state: player::State) -> State {
    match state {
        player::State::Idle => State::Idle,
        player::State::Playing => State::Playing,
        player::State::Paused => State::Paused,
        player::State::Standby => State::Standby,
        player::State::Failed => State::Failed,
    }
}

/// Fills in what the rules know. `decoder` names the decoder of a screen's slot, and where its frames lie.
pub fn fill(
    status: &mut Status,
    snapshot: &Snapshot,
    decoder: impl Fn(usize, SlotId) -> Option<(String, MemoryKind)>,
) {
    status.state = state(snapshot.state);
    status.position = snapshot.position;
    status.item = snapshot
        .item
        .as_ref()
        .map(|item| ItemStatus::new(item, None));
    status.playlist = snapshot.playlist.as_ref().map(|playlist| PlaylistStatus {
        id: playlist.id.clone(),
        name: playlist.name.clone(),
    });
    for (number, (status, screen)) in status.screens.iter_mut().zip(&snapshot.screens).enumerate() {
        let length = screen.start.zip(screen.end).map(|(start, end)| end - start);
        status.position = screen.position;
        status.item = screen
            .item
            .as_ref()
            .map(|item| ItemStatus::new(item, length));
        for (status, slot) in status.slots.iter_mut().zip(&screen.slots) {
            status.slot = slot.slot;
            status.state = slot_state(slot.state);
            status.item = slot.item.as_ref().map(|item| item.id.clone());
            (status.decoder, status.memory) = decoder(number, slot.slot)
                .filter(|_| slot.item.is_some())
                .map_or((None, MemoryKind::None), |(decoder, memory)| {
                    (Some(decoder), memory)
                });
        }
    }
    if let Some(screen) = status.screens.iter().find(|screen| screen.item.is_some()) {
        status.item = screen.item.clone();
    }
    status.items_shown = snapshot.counters.items_shown;
    status.replays = snapshot.counters.replays;
    status.reloads = snapshot.counters.reloads;
    status.rounds = snapshot.counters.rounds;
    let error = |error: &player::ErrorEntry| ErrorStatus {
        item: error.item.clone(),
        src: error.src.clone(),
        kind: error.kind.into(),
        message: error.message.clone(),
        count: error.count,
    };
    status.errors = snapshot.errors.iter().map(error).collect();
}

/// How frames came to the screen so far.
pub fn copies(copies: &Copies) -> CopiesStatus {
    let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
    CopiesStatus {
        imported: read(&copies.imported),
        copied: read(&copies.copied),
        composed: read(&copies.composed),
    }
}

fn commit(delays: &Delays) -> CommitStatus {
    let micros = |delay: MediaTime| u64::try_from(delay.nanos() / 1000).unwrap_or(0);
    CommitStatus {
        median_us: micros(delays.quantile(0.5)),
        p999_us: micros(delays.quantile(0.999)),
        max_us: micros(delays.longest()),
    }
}

/// Fills in what the presenter and the sound output measure.
pub fn gauge(status: &mut Status, gauges: &Gauges, sound: Option<&dyn SoundGauge>) {
    let counters = gauges.counters();
    status.display.commit = commit(&gauges.commits());
    status.display.estimated = gauges.is_estimated();
    status.display.presented = counters.presented;
    status.display.late = counters.late;
    status.display.dropped = counters.dropped;
    status.display.repeated = counters.repeated;
    status.display.starved = counters.starved;
    status.display.missed_vblanks = counters.missed_vblanks;
    let (waits, longest) = gauges.waits();
    status.lockstep_waits = waits;
    status.max_wait_ms = longest
        .duration()
        .as_millis()
        .try_into()
        .unwrap_or(u64::MAX);
    if let Some(sound) = sound {
        status.audio.device = sound.device();
        status.audio.av_offset_ms = sound.offset_ms();
    }
}

fn slot_state(state: slots::SlotState) -> SlotState {
    match state {
        slots::SlotState::Idle => SlotState::Idle,
        slots::SlotState::Prerolling => SlotState::Prerolling,
        slots::SlotState::Ready => SlotState::Ready,
        slots::SlotState::Playing => SlotState::Playing,
        slots::SlotState::Draining => SlotState::Draining,
        slots::SlotState::Failed => SlotState::Failed,
    }
}

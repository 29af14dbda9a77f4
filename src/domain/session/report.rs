//! What a box has to tell its house: the newest state, and every entry of the play log until it is stored there.

use std::collections::VecDeque;

use crate::domain::{
    ids::ReportId,
    protocol::sync::{BoxState, Play, Reported},
    units::MediaTime,
};

/// A box reports no more often than this.
pub const REPORT_EVERY: MediaTime = MediaTime::from_seconds(1);
/// A report that was not acknowledged, or could not be stored, is sent again after this.
pub const REPORT_AGAIN: MediaTime = MediaTime::from_seconds(30);
/// The most entries of the play log in one report.
pub const MAX_PLAYS: usize = 100;

/// The most entries of the play log that wait here; the log itself keeps the others.
pub const MOST_WAITING: usize = 10 * MAX_PLAYS;

/// What waits to be told.
#[derive(Clone, Debug, Default)]
pub(super) struct Outbox {
    /// The newest state, and whether the house has it on this connection.
    state: Option<BoxState>,
    state_sent: bool,
    plays: VecDeque<Play>,
    /// The newest entry that was ever taken in.
    newest_seq: Option<u64>,
    /// The report whose plays are not acknowledged yet: its name, its last entry, and when it is sent again.
    flying: Option<(ReportId, u64, MediaTime)>,
    /// Names given so far.
    names: u64,
    /// No report before this.
    not_before: MediaTime,
}

impl Outbox {
    /// The state is this now.
    pub(super) fn state(&mut self, state: BoxState) {
        if self.state.as_ref() != Some(&state) {
            self.state = Some(state);
            self.state_sent = false;
        }
    }

    /// How many more entries of the play log there is room for.
    pub(super) fn room(&self) -> usize {
        MOST_WAITING.saturating_sub(self.plays.len())
    }

    /// More entries of the play log; those that are not newer than all before are passed over.
    pub(super) fn played(&mut self, plays: Vec<Play>) {
        for play in plays {
            if self.newest_seq.is_none_or(|newest| newest < play.seq) {
                self.newest_seq = Some(play.seq);
                self.plays.push_back(play);
            }
        }
    }

    /// A connection begins: everything is told again that is not acknowledged.
    pub(super) fn connected(&mut self) {
        self.state_sent = false;
        self.flying = None;
    }

    /// The report to send now, if one is due.
    pub(super) fn take(&mut self, now: MediaTime) -> Option<Reported> {
        if self.next().is_none_or(|next| now < next) {
            return None;
        }
        let mut report = Reported::default();
        if !self.state_sent {
            report.state.clone_from(&self.state);
            self.state_sent = true;
        }
        if self
            .flying
            .as_ref()
            .is_none_or(|(_, _, again)| *again <= now)
            && let Some(last) = self.plays.iter().take(MAX_PLAYS).next_back()
        {
            let id = ReportId::new(format!("r{}", self.names));
            self.names += 1;
            self.flying = Some((id.clone(), last.seq, now + REPORT_AGAIN));
            report.id = Some(id);
            report.plays = self.plays.iter().take(MAX_PLAYS).cloned().collect();
        }
        self.not_before = now + REPORT_EVERY;
        Some(report)
    }

    /// When the next report is due.
    pub(super) fn next(&self) -> Option<MediaTime> {
        let state = (self.state.is_some() && !self.state_sent).then_some(MediaTime::ZERO);
        let plays = match (&self.flying, self.plays.is_empty()) {
            (_, true) => None,
            (None, false) => Some(MediaTime::ZERO),
            (Some((_, _, again)), false) => Some(*again),
        };
        let due = state.into_iter().chain(plays).min()?;
        Some(due.max(self.not_before))
    }

    /// A report was acknowledged. Answers up to which entry the log is stored, where that is news.
    pub(super) fn acknowledged(
        &mut self,
        id: &str,
        error: Option<&str>,
        now: MediaTime,
    ) -> Option<u64> {
        let (flying, last, again) = self.flying.as_mut()?;
        if flying.as_str() != id {
            return None;
        }
        if error.is_some() {
            *again = now + REPORT_AGAIN;
            return None;
        }
        let last = *last;
        self.flying = None;
        while self.plays.front().is_some_and(|play| play.seq <= last) {
            self.plays.pop_front();
        }
        Some(last)
    }
}

//! What boxes say is written in batches: thousands of boxes that report every second are a few transactions.
//!
//! A play entry is acknowledged only after its transaction; a report that is overtaken by a newer one of the same
//! screen in the same batch is never written.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::sync::{mpsc, oneshot};

use crate::db::{PlayRow, ReportRow, Store};

/// How long a batch is gathered.
const GATHER: Duration = Duration::from_millis(250);
/// How many entries may wait; whoever brings more waits.
const ROOM: usize = 4096;
/// How often a batch that the database refuses is tried again before its boxes are told to send again later.
const TRIES: u32 = 5;

enum Entry {
    Report(ReportRow),
    Plays(Vec<PlayRow>, oneshot::Sender<()>),
    Flush(oneshot::Sender<()>),
}

/// The way into the ledger.
#[derive(Clone)]
pub struct Ledger(mpsc::Sender<Entry>);

impl Ledger {
    /// Begins to write to this store.
    pub fn start(store: Arc<dyn Store>) -> Self {
        let (sender, entries) = mpsc::channel(ROOM);
        tokio::spawn(write(store, entries));
        Self(sender)
    }

    /// Notes what a screen last said.
    pub async fn report(&self, row: ReportRow) {
        // Without a writer the server is ending.
        let _ = self.0.send(Entry::Report(row)).await;
    }

    /// Notes showings; the answer comes when they are stored, and never where they could not be.
    pub async fn plays(&self, rows: Vec<PlayRow>) -> oneshot::Receiver<()> {
        let (done, stored) = oneshot::channel();
        let _ = self.0.send(Entry::Plays(rows, done)).await;
        stored
    }

    /// Waits until all that was noted before is written.
    pub async fn flush(&self) {
        let (done, written) = oneshot::channel();
        if self.0.send(Entry::Flush(done)).await.is_ok() {
            let _ = written.await;
        }
    }
}

async fn write(store: Arc<dyn Store>, mut entries: mpsc::Receiver<Entry>) {
    let mut batch = Vec::new();
    while entries.recv_many(&mut batch, ROOM).await > 0 {
        let mut reports: HashMap<String, ReportRow> = HashMap::new();
        let (mut plays, mut stored, mut flushed) = (Vec::new(), Vec::new(), Vec::new());
        for entry in batch.drain(..) {
            match entry {
                Entry::Report(row) => merge(&mut reports, row),
                Entry::Plays(rows, done) => {
                    plays.extend(rows);
                    stored.push(done);
                }
                Entry::Flush(done) => flushed.push(done),
            }
        }
        let reports: Vec<ReportRow> = reports.into_values().collect();
        if commit(store.as_ref(), &reports, &plays).await {
            for done in stored {
                let _ = done.send(());
            }
        }
        let waited_for = !flushed.is_empty();
        for done in flushed {
            let _ = done.send(());
        }
        if !waited_for {
            tokio::time::sleep(GATHER).await;
        }
    }
}

/// A newer row over an older one of the same screen; a row without a state keeps the one before.
fn merge(reports: &mut HashMap<String, ReportRow>, row: ReportRow) {
    match reports.get_mut(&row.screen) {
        None => drop(reports.insert(row.screen.clone(), row)),
        Some(before) if before.seen <= row.seen => {
            let state = row.state.clone().or_else(|| before.state.take());
            *before = ReportRow { state, ..row };
        }
        Some(_) => {}
    }
}

async fn commit(store: &dyn Store, reports: &[ReportRow], plays: &[PlayRow]) -> bool {
    let written = u64::try_from(reports.len()).unwrap_or(u64::MAX);
    for tried in 1..=TRIES {
        let done = async {
            if !reports.is_empty() {
                store.report(reports).await?;
            }
            match plays.is_empty() {
                true => Ok(0),
                false => store.add_plays(plays).await,
            }
        };
        match done.await {
            Ok(new) => {
                metrics::counter!("musebox_house_reports_written_total").increment(written);
                metrics::counter!("musebox_house_plays_written_total").increment(new);
                return true;
            }
            Err(err) => {
                metrics::counter!("musebox_house_store_errors_total").increment(1);
                log::error!(err = err.to_string().as_str(); "reports could not be stored, try {tried} of {TRIES}");
                tokio::time::sleep(GATHER * tried).await;
            }
        }
    }
    metrics::counter!("musebox_house_reports_failed_total").increment(written);
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_newer_report_takes_the_older_one_s_place_and_keeps_its_state_where_it_has_none() {
        let row = |seen, state, online| ReportRow {
            screen: "s".to_owned(),
            house: "h".to_owned(),
            state,
            seen,
            online,
        };
        let mut reports = HashMap::new();
        merge(
            &mut reports,
            row(2, Some(json!({"state": "playing"})), true),
        );
        merge(&mut reports, row(3, None, false));
        merge(&mut reports, row(1, Some(json!({"state": "idle"})), true));
        assert_eq!(
            reports["s"],
            row(3, Some(json!({"state": "playing"})), false)
        );
    }
}

//! What a house's connections share: the newest environment, and the way to it from the revisions before.

use std::{
    collections::VecDeque,
    sync::{Arc, OnceLock},
};

use serde_json::{Value, json};

use crate::domain::{
    house::{Edit, canonical, merge},
    ids::{DocumentHash, Epoch, Revision},
    protocol::sync::{Frame, Hello, MAX_HOUSE_FRAME, MAX_PATCHES, Message, Patch, Snapshot},
};

/// The most bytes of patches that are kept for a house. A peer that is further back gets a snapshot.
pub const MAX_PATCH_BYTES: usize = 1 << 20;

/// A house's environment and its last changes.
#[derive(Debug)]
pub struct History {
    epoch: Epoch,
    rev: Revision,
    sha256: DocumentHash,
    document: Arc<Value>,
    /// The changes, the oldest first: each leads from its base to the base of the next, the last to `rev`.
    steps: VecDeque<Step>,
    bytes: usize,
    /// Made when the first peer needs it, and shared by all others.
    snapshot: OnceLock<Frame>,
}

#[derive(Debug)]
struct Step {
    base: Revision,
    frame: Frame,
}

impl History {
    /// A history that begins with a document.
    pub fn new(epoch: Epoch, rev: Revision, document: Value) -> Self {
        Self {
            epoch,
            rev,
            sha256: canonical::sha256(&document),
            document: Arc::new(document),
            steps: VecDeque::new(),
            bytes: 0,
            snapshot: OnceLock::new(),
        }
    }

    /// Remembers a change that led to the revision that the history begins with, or to the one that was recalled
    /// before: they are told from the newest to the oldest. One that does not fit is not taken, and answered with
    /// false; then nothing older can be.
    pub fn recall(
        &mut self,
        base: Revision,
        rev: Revision,
        patch: Value,
        sha256: DocumentHash,
    ) -> bool {
        let oldest = self.steps.front().map_or(self.rev, |step| step.base);
        if rev != oldest || base >= rev || self.steps.len() >= MAX_PATCHES {
            return false;
        }
        let frame = Frame::from(&self.patch(base, rev, patch, sha256));
        if self.bytes + frame.as_str().len() > MAX_PATCH_BYTES {
            return false;
        }
        self.bytes += frame.as_str().len();
        self.steps.push_front(Step { base, frame });
        true
    }

    /// The epoch.
    pub fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    /// The newest revision.
    pub fn rev(&self) -> Revision {
        self.rev
    }

    /// The newest document's hash.
    pub fn sha256(&self) -> &DocumentHash {
        &self.sha256
    }

    /// The newest document.
    pub fn document(&self) -> &Arc<Value> {
        &self.document
    }

    /// Takes an edit of the newest document. One that is not its successor is not taken, and answered with false:
    /// then the document is to be read again, see [`History::catch_up`].
    pub fn take(&mut self, edit: Edit) -> bool {
        if edit.rev != self.rev.next() {
            return edit.rev == self.rev && edit.writes.is_empty();
        }
        self.step(edit.rev, edit.patch, edit.document, edit.sha256);
        true
    }

    /// Takes a document that was read anew, since somebody else has edited it; the difference becomes one patch over
    /// several revisions. A document that is not newer is not taken.
    pub fn catch_up(&mut self, rev: Revision, document: Value) {
        if rev > self.rev {
            let patch = merge::diff(&self.document, &document);
            let sha256 = canonical::sha256(&document);
            self.step(rev, patch, document, sha256);
        }
    }

    /// Begins a new epoch: the house was restored from a backup.
    pub fn restore(&mut self, epoch: Epoch, rev: Revision, document: Value) {
        *self = Self::new(epoch, rev, document);
    }

    /// Whether a peer holds a newer revision than this history: another server has moved on, and the document is to
    /// be read again before the hello is answered.
    pub fn is_behind(&self, hello: &Hello) -> bool {
        hello.epoch.as_ref() == Some(&self.epoch) && hello.rev.is_some_and(|rev| rev > self.rev)
    }

    /// The frames that bring a peer from what it holds to the newest: patches, or an empty patch where it holds the
    /// newest, or else a snapshot.
    pub fn answer(&self, epoch: Option<&Epoch>, rev: Option<Revision>) -> Vec<Frame> {
        match rev.filter(|_| epoch == Some(&self.epoch)) {
            None => vec![self.snapshot()],
            Some(rev) if rev == self.rev => {
                let patch = self.patch(rev, rev, json!({}), self.sha256.clone());
                vec![Frame::from(&patch)]
            }
            Some(rev) => match self.steps.iter().position(|step| step.base == rev) {
                Some(first) => {
                    let steps = self.steps.iter().skip(first);
                    steps.map(|step| step.frame.clone()).collect()
                }
                None => vec![self.snapshot()],
            },
        }
    }

    /// The whole document as a frame.
    pub fn snapshot(&self) -> Frame {
        let frame = self.snapshot.get_or_init(|| {
            Frame::from(&Message::Snapshot(Snapshot {
                epoch: self.epoch.clone(),
                rev: self.rev,
                sha256: self.sha256.clone(),
                document: Value::clone(&self.document),
            }))
        });
        frame.clone()
    }

    fn step(&mut self, rev: Revision, patch: Value, document: Value, sha256: DocumentHash) {
        let frame = Frame::from(&self.patch(self.rev, rev, patch, sha256.clone()));
        match frame.as_str().len() {
            length if length > MAX_HOUSE_FRAME => {
                // No peer would take it: all of them get the snapshot.
                self.steps.clear();
                self.bytes = 0;
            }
            length => {
                self.bytes += length;
                let base = self.rev;
                self.steps.push_back(Step { base, frame });
            }
        }
        (self.rev, self.sha256, self.document) = (rev, sha256, Arc::new(document));
        self.snapshot = OnceLock::new();
        // The newest always stays: it is what connected peers are sent now.
        while self.steps.len() > MAX_PATCHES
            || (self.bytes > MAX_PATCH_BYTES && self.steps.len() > 1)
        {
            if let Some(step) = self.steps.pop_front() {
                self.bytes -= step.frame.as_str().len();
            }
        }
    }

    fn patch(&self, base: Revision, rev: Revision, patch: Value, sha256: DocumentHash) -> Message {
        Message::Patch(Patch {
            epoch: self.epoch.clone(),
            base_rev: base,
            rev,
            patch,
            sha256,
        })
    }
}

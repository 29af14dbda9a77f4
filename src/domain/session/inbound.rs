//! What a box remembers of the commands that it was sent, so that none is carried out twice.

use std::collections::VecDeque;

use crate::domain::{ids::CommandId, protocol::sync::REMEMBERED_COMMANDS};

/// The newest commands, the oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Commands(VecDeque<(CommandId, Carried)>);

/// How far a command has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Carried {
    /// It is being carried out.
    Out,
    /// It is done, or was refused with these words.
    Done(Option<String>),
}

impl Commands {
    /// How far this command has come, if it is remembered.
    pub(super) fn find(&self, id: &CommandId) -> Option<&Carried> {
        self.0
            .iter()
            .find(|(known, _)| known == id)
            .map(|(_, carried)| carried)
    }

    /// Remembers a command that is new.
    pub(super) fn begin(&mut self, id: CommandId) {
        if self.0.len() == REMEMBERED_COMMANDS {
            self.0.pop_front();
        }
        self.0.push_back((id, Carried::Out));
    }

    /// The command is done. False where it is not remembered, or was done before.
    pub(super) fn done(&mut self, id: &CommandId, error: Option<String>) -> bool {
        match self.0.iter_mut().find(|(known, _)| known == id) {
            Some((_, carried @ Carried::Out)) => {
                *carried = Carried::Done(error);
                true
            }
            Some((_, Carried::Done(_))) | None => false,
        }
    }
}

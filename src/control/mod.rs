//! The control socket as seen by both of its ends: where it is, and the client.
//!
//! It speaks HTTP/1.1 on a Unix socket, so that `curl --unix-socket` is a client, too. The server is
//! `control_server`, which only the player needs.

mod client;

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
};

pub use client::{Client, ClientError, Events};

/// The control socket of a service, and of root.
const SERVICE_SOCKET: &str = "/run/musebox/control.sock";

/// The daemon's control socket where nobody says otherwise: in the folder that systemd has made for the service, else
/// `/run/musebox/control.sock` for root, else `$XDG_RUNTIME_DIR/musebox/control.sock`, else
/// `/tmp/musebox-UID/control.sock`.
pub fn default_socket() -> PathBuf {
    if let Some(folder) = absolute(env::var_os("RUNTIME_DIRECTORY")) {
        return folder.join("control.sock");
    }
    let user = nix::unistd::geteuid();
    socket_of(user.as_raw(), env::var_os("XDG_RUNTIME_DIR"))
}

/// Where a client looks where nobody says otherwise: the user's own daemon if there is one, else the service.
pub fn nearest_socket() -> PathBuf {
    let own = default_socket();
    match own.exists() {
        true => own,
        false => SERVICE_SOCKET.into(),
    }
}

/// The folder for what must outlive a restart, where nobody says otherwise: systemd's for the service, else
/// `/var/lib/musebox` for root, else
/// `$XDG_STATE_HOME/musebox`, else `~/.local/state/musebox`, else `/tmp/musebox-UID/state`.
pub fn default_state_dir() -> PathBuf {
    if let Some(folder) = absolute(env::var_os("STATE_DIRECTORY")) {
        return folder;
    }
    let user = nix::unistd::geteuid();
    state_of(
        user.as_raw(),
        env::var_os("XDG_STATE_HOME"),
        env::var_os("HOME"),
    )
}

fn socket_of(user: u32, runtime_dir: Option<OsString>) -> PathBuf {
    match (user, absolute(runtime_dir)) {
        (0, _) => SERVICE_SOCKET.into(),
        (_, Some(folder)) => folder.join("musebox/control.sock"),
        (user, None) => format!("/tmp/musebox-{user}/control.sock").into(),
    }
}

fn state_of(user: u32, state_home: Option<OsString>, home: Option<OsString>) -> PathBuf {
    match (user, absolute(state_home), absolute(home)) {
        (0, _, _) => "/var/lib/musebox".into(),
        (_, Some(folder), _) => folder.join("musebox"),
        (_, None, Some(home)) => home.join(".local/state/musebox"),
        (user, None, None) => format!("/tmp/musebox-{user}/state").into(),
    }
}

/// The XDG base directory specification has relative paths ignored.
fn absolute(folder: Option<OsString>) -> Option<PathBuf> {
    folder
        .map(PathBuf::from)
        .filter(|folder: &PathBuf| Path::is_absolute(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_and_others_have_their_own_places() {
        let run = || Some(OsString::from("/run/user/7"));
        let relative = || Some(OsString::from("run"));
        for (path, expected) in [
            (socket_of(0, run()), "/run/musebox/control.sock"),
            (socket_of(7, run()), "/run/user/7/musebox/control.sock"),
            (socket_of(7, relative()), "/tmp/musebox-7/control.sock"),
            (socket_of(7, None), "/tmp/musebox-7/control.sock"),
            (state_of(0, run(), run()), "/var/lib/musebox"),
            (state_of(7, run(), None), "/run/user/7/musebox"),
            (
                state_of(7, relative(), run()),
                "/run/user/7/.local/state/musebox",
            ),
            (state_of(7, None, None), "/tmp/musebox-7/state"),
        ] {
            assert_eq!(path, PathBuf::from(expected));
        }
    }
}

//! The Unix socket: made so that at no moment somebody finds it half made, and taken over only from the dead.

use std::{
    fs, io,
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt},
    },
    path::{Path, PathBuf},
    time::Duration,
};

use thiserror::Error;
use tokio::{
    net::{UnixListener, UnixStream},
    time::timeout,
};

use crate::control_server::{host::Host, routes, serve};

/// Owner and group may steer the box.
const SOCKET_MODE: u32 = 0o660;
/// Others may not even see that there is a socket.
const FOLDER_MODE: u32 = 0o750;
/// The longest path of a socket, in bytes (`sun_path` of unix(7), with its closing zero).
const MAX_PATH: usize = 107;
/// How long a living daemon may take to accept a connection.
const ALIVE_LIMIT: Duration = Duration::from_secs(1);

/// Why the control socket cannot be had.
#[derive(Debug, Error)]
pub enum BindError {
    /// Another daemon answers on it.
    #[error("another museboxd listens on {}: stop it, or give this one a socket of its own with --socket", path.display())]
    InUse {
        /// The socket.
        path: PathBuf,
    },
    /// Something else has the name.
    #[error("{} is there and is no socket: remove it, or choose another path for the socket", path.display())]
    NoSocket {
        /// The path.
        path: PathBuf,
    },
    /// The path is longer than the system takes.
    #[error("{} is too long for a socket: {MAX_PATH} bytes at most", path.display())]
    TooLong {
        /// The path.
        path: PathBuf,
    },
    /// Somebody else owns the folder, and could put another socket there.
    #[error("the folder {} belongs to another user (uid {owner}): choose another path for the socket", path.display())]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// The system refuses.
    #[error("{what} {}", path.display())]
    System {
        /// What was tried.
        what: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// The control socket, bound and not served yet: whoever connects now waits.
#[derive(Debug)]
pub struct UnixServer {
    listener: UnixListener,
    path: PathBuf,
    /// Device and inode, to know our own socket again.
    identity: (u64, u64),
}

impl UnixServer {
    /// Makes the socket with mode 0660, and its folder if need be. A socket on which nobody answers is replaced.
    /// Must run within a Tokio runtime.
    pub async fn bind(path: &Path) -> Result<Self, BindError> {
        if path.as_os_str().as_bytes().len() > MAX_PATH {
            return Err(BindError::TooLong {
                path: path.to_owned(),
            });
        }
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        make_folder(folder)?;
        nobody_answers(path).await?;

        // Made under another name and renamed, it has its mode from the first moment on, and takes the place of a
        // dead one without a gap. The other name is the shorter one, so it fits wherever `path` does.
        let making = folder.join(format!(".{}", std::process::id()));
        let system = |what, source| BindError::System {
            what,
            path: path.to_owned(),
            source,
        };
        fs::remove_file(&making).ok();
        let listener =
            UnixListener::bind(&making).map_err(|source| system("making the socket", source))?;
        let finished = fs::set_permissions(&making, fs::Permissions::from_mode(SOCKET_MODE))
            .and_then(|()| fs::symlink_metadata(&making))
            .and_then(|data| fs::rename(&making, path).map(|()| (data.dev(), data.ino())));
        match finished {
            Ok(identity) => Ok(Self {
                listener,
                path: path.to_owned(),
                identity,
            }),
            Err(source) => {
                fs::remove_file(&making).ok();
                Err(system("setting up the socket", source))
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Serves until `shutdown`, then removes the socket.
    pub async fn serve(
        self,
        host: Host,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let result = serve(self.listener, routes::control(host), shutdown).await;
        // Another daemon may have taken the name by now.
        let ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|data| (data.dev(), data.ino()) == self.identity);
        if ours {
            fs::remove_file(&self.path).ok();
        }
        result
    }
}

fn make_folder(folder: &Path) -> Result<(), BindError> {
    let system = |what, source| BindError::System {
        what,
        path: folder.to_owned(),
        source,
    };
    fs::DirBuilder::new()
        .recursive(true)
        .mode(FOLDER_MODE)
        .create(folder)
        .map_err(|source| system("making the folder", source))?;
    let data = fs::metadata(folder).map_err(|source| system("looking at the folder", source))?;
    let user = nix::unistd::geteuid().as_raw();
    match user == 0 || [0, user].contains(&data.uid()) {
        true => Ok(()),
        false => Err(BindError::Foreign {
            path: folder.to_owned(),
            owner: data.uid(),
        }),
    }
}

/// Makes sure that taking the name takes it from nobody alive.
async fn nobody_answers(path: &Path) -> Result<(), BindError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => {
            return Err(BindError::System {
                what: "looking at the socket",
                path: path.to_owned(),
                source,
            });
        }
        Ok(data) if !data.file_type().is_socket() => {
            return Err(BindError::NoSocket {
                path: path.to_owned(),
            });
        }
        Ok(_) => {}
    }
    match timeout(ALIVE_LIMIT, UnixStream::connect(path)).await {
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            log::info!(socket:% = path.display(); "replacing a socket that nobody answers on");
            Ok(())
        }
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Ok(Err(source)) => Err(BindError::System {
            what: "trying the socket",
            path: path.to_owned(),
            source,
        }),
        // One that is too busy to accept is alive, too.
        Ok(Ok(_)) | Err(_) => Err(BindError::InUse {
            path: path.to_owned(),
        }),
    }
}

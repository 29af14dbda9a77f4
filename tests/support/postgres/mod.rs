//! A PostgreSQL of the test's own, from Debian's package, on a socket in a folder of its own.
//!
//! It ends with the process that started it, however that ends: a shell beside it waits for the end of its input.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

/// Makes a cluster, runs it, says where it is, and ends it when nobody holds the other end of the input any more.
const KEEPER: &str = r#"
set -eu
trap '' INT TERM
cd /
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"$1/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C --no-sync > "$dir/log" 2>&1 ||
    { cat "$dir/log" >&2; exit 1; }
"$1/postgres" -D "$dir/data" -k "$dir" -c listen_addresses= -c port=5432 -c fsync=off -c max_connections=500 \
    > "$dir/log" 2>&1 < /dev/null &
server=$!
until "$1/pg_isready" -q -h "$dir" -p 5432; do
    kill -0 "$server" || { cat "$dir/log" >&2; exit 1; }
    sleep 0.05
done
echo "$dir"
cat > /dev/null
kill -QUIT "$server"
wait "$server" || true
"#;

/// A running PostgreSQL.
pub struct Server {
    binaries: PathBuf,
    folder: String,
    databases: AtomicU32,
    _keeper: Child,
}

impl Server {
    /// The one of this process.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// Starts one.
    pub fn start() -> Self {
        let binaries = binaries();
        // PostgreSQL refuses to run as root.
        let root = fs::metadata("/proc/self")
            .is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
        let mut command = Command::new(if root { "setpriv" } else { "sh" });
        if root {
            command.args([
                "--reuid=postgres",
                "--regid=postgres",
                "--clear-groups",
                "sh",
            ]);
        }
        let mut keeper = command
            .args(["-c", KEEPER, "sh"])
            .arg(&binaries)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("setpriv and sh are there");
        let mut folder = String::new();
        BufReader::new(keeper.stdout.take().expect("it is a pipe"))
            .read_line(&mut folder)
            .expect("a line");
        let folder = folder.trim().to_owned();
        assert!(!folder.is_empty(), "PostgreSQL did not start");
        Self {
            binaries,
            folder,
            databases: AtomicU32::new(0),
            _keeper: keeper,
        }
    }

    /// The address of a new and empty database.
    pub fn database(&self) -> String {
        let name = format!("db{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let made = self.tool("createdb").arg(&name).status();
        assert!(made.expect("createdb is there").success());
        self.url(&name)
    }

    /// The address of a database.
    pub fn url(&self, name: &str) -> String {
        let folder = self.folder.replace('/', "%2F");
        format!("postgres://postgres@{folder}:5432/{name}")
    }

    /// One of PostgreSQL's programs, told which server.
    pub fn tool(&self, name: &str) -> Command {
        let mut tool = Command::new(self.binaries.join(name));
        tool.args(["-h", &self.folder, "-p", "5432", "-U", "postgres"]);
        tool
    }
}

/// The newest PostgreSQL of those that are installed.
fn binaries() -> PathBuf {
    let mut found: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .expect("tests/setup test installs PostgreSQL")
        .map(|entry| entry.expect("an entry").path().join("bin"))
        .filter(|folder| folder.join("initdb").exists())
        .collect();
    found.sort();
    found.pop().expect("tests/setup test installs PostgreSQL")
}
